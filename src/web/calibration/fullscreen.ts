/** The whole screen, where the browser has it to give; and where a point of the screen lies in the window. */
import type { Position } from './targets';

/** @returns whether the page fills the screen now */
export async function enterFullscreen(): Promise<boolean> {
  if (document.fullscreenElement !== null) return true;
  try {
    await document.documentElement.requestFullscreen({ navigationUI: 'hide' });
    return true;
  } catch {
    return false; // refused, or a browser without it: the sequence works in the window as well
  }
}

export function leaveFullscreen(): void {
  if (document.fullscreenElement !== null) document.exitFullscreen().catch(() => undefined);
}

/** Share of the screen that a share of the window is. In fullscreen they are the same. */
export function onScreen(share: Position): Position {
  if (document.fullscreenElement !== null) return share;
  const frame = Math.max(0, (window.outerWidth - window.innerWidth) / 2);
  const top = Math.max(0, window.outerHeight - window.innerHeight - frame);
  const x = (window.screenX + frame + share.x * window.innerWidth) / window.screen.width;
  const y = (window.screenY + top + share.y * window.innerHeight) / window.screen.height;
  return { x: rounded(x), y: rounded(y) };
}

function rounded(value: number): number {
  return Math.round(Math.max(0, Math.min(1, value)) * 1e4) / 1e4;
}
