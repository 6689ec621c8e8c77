// One message to the service manager, as sd_notify(3) describes it: a datagram to the socket that NOTIFY_SOCKET names. Node has no datagram
// sockets of the unix family, and a program started for each message would not be the main process of the unit.
#pragma once
#include <string_view>

namespace sightline::service {

/// Sends `message` to `address`: an absolute path, or `@name` for the abstract namespace. Never blocks.
/// @returns 0, or errno: EINVAL for an address that is none, ENAMETOOLONG, EMSGSIZE, EAGAIN when the manager does not read, ...
int notify(std::string_view address, std::string_view message) noexcept;

}  // namespace sightline::service
