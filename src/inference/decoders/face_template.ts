/**
 * A rigid head in the terms of the face mesh: mesh index, then x, y, z in millimetres. Axes: x to the person's left (right in the image), y down, z backwards
 * into the head; origin between the eyes (mesh point 168); a head that faces the camera has the identity as its rotation.
 *
 * Made from the network's own output, so that it has the network's own idea of depth: the meshes of eleven faces (five in the photographs of
 * @vladmandic/human, six computer-made ones) and their mirror images, aligned by generalised Procrustes analysis and averaged; the vertical axis is the
 * line from mesh point 10 (top of the forehead) to 152 (chin); scaled so that the midpoints of the eyes' corners are 63 mm apart, the mean
 * distance of adult pupils. Points that move with lids, brows, mouth and jaw are left out. Mean distance of a point to its face: 1.2 to 3.3 mm.
 */
export const RIGID_POINTS: readonly (readonly [index: number, x: number, y: number, z: number])[] = [
  [10, 0, -48.2, 8.5],
  [151, 0, -32.5, 3.4],
  [9, 0, -16.6, -0.1],
  [8, 0, -7.8, 0.5],
  [168, 0, 0, 0],
  [6, 0, 7.8, -5],
  [197, 0, 14.2, -10.7],
  [195, 0, 20, -16.2],
  [5, 0, 26, -22.2],
  [4, 0, 34, -25.6],
  [1, 0, 40.5, -24.3],
  [33, -45.5, 6.4, 21.3],
  [263, 45.5, 6.4, 21.3],
  [133, -17.5, 8.1, 15],
  [362, 17.5, 8.1, 15],
  [67, -35.2, -43.9, 16.1],
  [297, 35.2, -43.9, 16.1],
  [109, -19, -47.5, 10.2],
  [338, 19, -47.5, 10.2],
  [116, -61.6, 24.5, 32.2],
  [345, 61.6, 24.5, 32.2],
  [117, -51.6, 23.1, 19.9],
  [346, 51.6, 23.1, 19.9],
  [111, -55.5, 19.5, 25.7],
  [340, 55.5, 19.5, 25.7],
  [193, -7.8, 1.6, 3.8],
  [417, 7.8, 1.6, 3.8],
  [122, -5.7, 9.7, -3],
  [351, 5.7, 9.7, -3],
  [98, -15.9, 47.2, -1.6],
  [327, 15.9, 47.2, -1.6],
];
