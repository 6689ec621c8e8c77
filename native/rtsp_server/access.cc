#include "access.hpp"

#include <memory>
#include <string_view>
#include <utility>

// GObject subclassing is macros with C casts; the class itself is four lines.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wold-style-cast"
#pragma GCC diagnostic ignored "-Wpedantic"
struct SightlineAuth {
  GstRTSPAuth parent;
  sightline::rtsp_server::AccessOf* access_of;
  char* nonce;
};
struct SightlineAuthClass {
  GstRTSPAuthClass parent;
};
G_DEFINE_TYPE(SightlineAuth, sightline_auth, GST_TYPE_RTSP_AUTH)
#pragma GCC diagnostic pop

namespace sightline::rtsp_server {
namespace {

constexpr const char* realm = "sightline-rtsp-server";

struct GFree {
  void operator()(char* text) const { g_free(text); }
};
using GText = std::unique_ptr<char, GFree>;

std::string md5(const std::string& text) {
  const GText sum(g_compute_checksum_for_string(G_CHECKSUM_MD5, text.c_str(), -1));
  return sum.get();
}

std::string parameter(const GstRTSPAuthCredential& credential, std::string_view name) {
  for (GstRTSPAuthParam** at = credential.params; at != nullptr && *at != nullptr; ++at) {
    if ((*at)->name != nullptr && g_ascii_strcasecmp((*at)->name, std::string(name).c_str()) == 0) {
      return (*at)->value == nullptr ? "" : (*at)->value;
    }
  }
  return "";
}

bool basic_fits(const GstRTSPAuthCredential& credential, const Credentials& expected) {
  if (credential.scheme != GST_RTSP_AUTH_BASIC || credential.authorization == nullptr) return false;
  const std::string pair = expected.user + ":" + expected.password;
  const GText encoded(g_base64_encode(reinterpret_cast<const guchar*>(pair.data()), pair.size()));
  return std::string_view(encoded.get()) == credential.authorization;
}

/// RFC 2617 without qop, as cameras do.
bool digest_fits(const GstRTSPAuthCredential& credential, const Credentials& expected, const char* method, const char* nonce) {
  if (credential.scheme != GST_RTSP_AUTH_DIGEST) return false;
  if (parameter(credential, "username") != expected.user || parameter(credential, "nonce") != nonce) return false;
  const std::string user = md5(expected.user + ":" + realm + ":" + expected.password);
  const std::string request = md5(std::string(method) + ":" + parameter(credential, "uri"));
  return md5(user + ":" + nonce + ":" + request) == parameter(credential, "response");
}

bool authorized(const GstRTSPContext& context, const Credentials& expected, const char* nonce) {
  GstRTSPAuthCredential** all = gst_rtsp_message_parse_auth_credentials(context.request, GST_RTSP_HDR_AUTHORIZATION);
  if (all == nullptr) return false;
  bool fits = false;
  for (GstRTSPAuthCredential** at = all; *at != nullptr && !fits; ++at) {
    fits = expected.digest ? digest_fits(**at, expected, gst_rtsp_method_as_text(context.method), nonce) : basic_fits(**at, expected);
  }
  gst_rtsp_auth_credentials_free(all);
  return fits;
}

void answer(GstRTSPContext& context, GstRTSPStatusCode code, const std::string& challenge) {
  gst_rtsp_message_init_response(context.response, code, gst_rtsp_status_as_text(code), context.request);
  if (!challenge.empty()) gst_rtsp_message_add_header(context.response, GST_RTSP_HDR_WWW_AUTHENTICATE, challenge.c_str());
  gst_rtsp_client_send_message(context.client, context.session, context.response);
}

gboolean check(GstRTSPAuth* base, GstRTSPContext* context, const gchar* what) {
  // One check per request is enough, and this one comes first.
  if (std::string_view(what) != GST_RTSP_AUTH_CHECK_URL) return TRUE;
  if (context->method == GST_RTSP_OPTIONS || context->uri == nullptr || context->uri->abspath == nullptr) return TRUE;
  const auto* self = reinterpret_cast<SightlineAuth*>(base);
  const Access access = (*self->access_of)(context->client, context->uri->abspath);
  if (access.cut) {
    answer(*context, GST_RTSP_STS_SERVICE_UNAVAILABLE, "");
    return FALSE;
  }
  if (access.credentials == nullptr || authorized(*context, *access.credentials, self->nonce)) return TRUE;
  const std::string named = std::string(" realm=\"") + realm + "\"";
  answer(*context, GST_RTSP_STS_UNAUTHORIZED,
         access.credentials->digest ? "Digest" + named + ", nonce=\"" + self->nonce + "\"" : "Basic" + named);
  return FALSE;
}

void finalize(GObject* object) {
  auto* self = reinterpret_cast<SightlineAuth*>(object);
  delete self->access_of;
  g_free(self->nonce);
  G_OBJECT_CLASS(sightline_auth_parent_class)->finalize(object);
}

}  // namespace

GstRTSPAuth* access_control(AccessOf access_of) {
  auto* self = static_cast<SightlineAuth*>(g_object_new(sightline_auth_get_type(), nullptr));
  self->access_of = new AccessOf(std::move(access_of));  // freed in finalize: a GObject has no destructor
  self->nonce = g_strdup_printf("%08x%08x", g_random_int(), g_random_int());
  return &self->parent;
}

}  // namespace sightline::rtsp_server

static void sightline_auth_init(SightlineAuth*) {}
static void sightline_auth_class_init(SightlineAuthClass* type) {
  type->parent.check = sightline::rtsp_server::check;
  type->parent.parent_class.finalize = sightline::rtsp_server::finalize;
}
