// Keeps the wall fresh: camera states every 2 s, pictures one after the other so that a slow link is not flooded.
const PERIOD_MS = 2000;
const wall = document.getElementById('wall');
const status = document.getElementById('status');
const form = document.getElementById('token-form');
const tiles = new Map();

// fetch, not <img src>: an image request could not carry the token.
function get(path) {
  const token = sessionStorage.getItem('token');
  return fetch(path, { headers: token ? { authorization: `Bearer ${token}` } : {}, signal: AbortSignal.timeout(10_000) });
}

function tileOf(camera) {
  let tile = tiles.get(camera.camera_id);
  if (tile) return tile;
  const figure = document.createElement('figure');
  const img = document.createElement('img');
  const caption = document.createElement('figcaption');
  const name = document.createElement('strong');
  const detail = document.createElement('span');
  const link = document.createElement('a');
  link.href = `/api/cameras/${camera.camera_id}/analysis`;
  link.textContent = 'analysis';
  caption.append(name, detail, link);
  figure.append(img, caption);
  wall.append(figure);
  tile = { figure, img, name, detail };
  tiles.set(camera.camera_id, tile);
  return tile;
}

function show(camera) {
  const { figure, img, name, detail } = tileOf(camera);
  figure.dataset.state = camera.state;
  img.alt = `newest frame of ${camera.camera_name}`;
  name.textContent = `${camera.camera_id} · ${camera.camera_name}`;
  const age = camera.frame_age_ms === null ? 'no frame yet' : `${Math.round(camera.frame_age_ms)} ms old`;
  detail.textContent = [camera.state, `${camera.fps.toFixed(1)} fps`, age, camera.decoder, camera.reason].filter(Boolean).join(' · ');
}

async function picture(camera) {
  const tile = tiles.get(camera.camera_id);
  const response = await get(`/api/cameras/${camera.camera_id}/snapshot.jpg?width=480`);
  if (!response.ok) return;
  const url = URL.createObjectURL(await response.blob());
  const old = tile.img.src;
  tile.img.src = url;
  if (old) URL.revokeObjectURL(old);
}

async function refresh() {
  const response = await get('/api/cameras');
  form.hidden = response.status !== 401;
  if (!response.ok) throw new Error(response.status === 401 ? 'an API token is needed' : `the API answers ${response.status}`);
  const { cameras } = await response.json();
  const listed = new Set(cameras.map((camera) => camera.camera_id));
  for (const [id, tile] of tiles) {
    if (listed.has(id)) continue;
    tile.figure.remove();
    tiles.delete(id);
  }
  cameras.forEach(show);
  const streaming = cameras.filter((camera) => camera.state === 'streaming');
  status.textContent = `${streaming.length} of ${cameras.length} cameras streaming`;
  if (!document.hidden) for (const camera of streaming) await picture(camera);
}

async function loop() {
  for (;;) {
    try {
      await refresh();
    } catch (error) {
      status.textContent = error.message;
    }
    await new Promise((resolve) => setTimeout(resolve, PERIOD_MS));
  }
}

form.addEventListener('submit', (event) => {
  event.preventDefault();
  sessionStorage.setItem('token', document.getElementById('token').value);
  form.hidden = true;
});
void loop();
