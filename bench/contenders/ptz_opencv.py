"""OpenCV's own way from a pair of pictures to a rotation: SIFT, brute force, ratio test, homography by RANSAC, decomposition. One thread.

ptz_opencv.py LIST: prints one JSON object; what is timed is what the other contender does, without starting Python.
"""
import json
import math
import os
import sys
import time

import cv2
import numpy as np

cv2.setNumThreads(1)


def camera_at(yaw, pitch, roll):
    a, b, r = np.radians([-pitch, -yaw, roll])
    rx = np.array([[1, 0, 0], [0, math.cos(a), -math.sin(a)], [0, math.sin(a), math.cos(a)]])
    ry = np.array([[math.cos(b), 0, math.sin(b)], [0, 1, 0], [-math.sin(b), 0, math.cos(b)]])
    rz = np.array([[math.cos(r), -math.sin(r), 0], [math.sin(r), math.cos(r), 0], [0, 0, 1]])
    return rz @ rx @ ry


def angle(rotation):
    sine = math.hypot(rotation[2, 1] - rotation[1, 2], rotation[0, 2] - rotation[2, 0], rotation[1, 0] - rotation[0, 1]) / 2
    return math.degrees(math.atan2(sine, (np.trace(rotation) - 1) / 2))


def features(sift, file):
    return sift.detectAndCompute(cv2.imread(file, cv2.IMREAD_GRAYSCALE), None)


def rotation_between(reference, query, k, matcher):
    good = [m for m, n in matcher.knnMatch(query[1], reference[1], k=2) if m.distance < 0.75 * n.distance]
    began = time.perf_counter()
    if len(good) < 15:
        return None, began
    source = np.float64([query[0][m.queryIdx].pt for m in good])
    target = np.float64([reference[0][m.trainIdx].pt for m in good])
    homography, _ = cv2.findHomography(source, target, cv2.RANSAC, 5.0)
    if homography is None:
        return None, began
    _, rotations, translations, normals = cv2.decomposeHomographyMat(homography, k)
    ahead = [i for i in range(len(rotations)) if normals[i][2, 0] >= 0] or list(range(len(rotations)))
    return rotations[min(ahead, key=lambda i: math.hypot(translations[i][0, 0], translations[i][1, 0]))], began


def main():
    with open(sys.argv[1], encoding="utf8") as file:
        given = json.load(file)
    folder = os.path.dirname(sys.argv[1])
    c = given["camera"]
    k = np.array([[c["fx"], 0, c["cx"]], [0, c["fy"], c["cy"]], [0, 0, 1]])
    sift, matcher = cv2.SIFT_create(2000), cv2.BFMatcher(cv2.NORM_L2)
    times, errors, refused = [], [], 0
    for pair in given["pairs"]:
        t0 = time.perf_counter()
        reference = features(sift, os.path.join(folder, pair["reference"]))
        query = features(sift, os.path.join(folder, pair["query"]))
        t1 = time.perf_counter()
        measured, t2 = rotation_between(reference, query, k, matcher)
        t3 = time.perf_counter()
        times.append([(t1 - t0) * 1e3, (t2 - t1) * 1e3, (t3 - t2) * 1e3])
        if measured is None:
            refused += 1
            continue
        telemetry = camera_at(pair["pan_deg"], pair["tilt_deg"], 0)
        # Query to reference: reality_reference * reality_query^T, and reality_reference is telemetry.
        offset = telemetry.T @ measured @ telemetry
        errors.append(angle(offset @ camera_at(pair["yaw"], pair["pitch"], pair["roll"]).T))
    middle = np.median(np.array(times), axis=0)
    print(json.dumps({"features_ms": middle[0], "matching_ms": middle[1], "estimation_ms": middle[2], "errors_deg": errors, "refused": refused}))


main()
