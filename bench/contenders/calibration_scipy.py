"""`calibration_scipy.py ROWS FITS scipy|numpy`: the same fit with pandas and scipy, or with numpy alone; prints CPU milliseconds a fit."""
import json
import sys
import time

import numpy as np
import pandas as pd
from scipy.optimize import least_squares

rows_file, fits, which = sys.argv[1], int(sys.argv[2]), sys.argv[3]
COLUMNS = ["idx", "gaze_x", "gaze_y", "gaze_z", "set_x", "set_y"]
table = np.array(json.load(open(rows_file)))
frame = pd.DataFrame(table, columns=COLUMNS)
WIDTH_PX, HEIGHT_PX = 1920, 1080


def with_scipy():
    kept = []
    for index in range(int(frame["idx"].unique()[-1]) + 1):
        part = frame[frame["idx"] == index]
        mask = (np.abs(part["gaze_x"] - np.mean(part["gaze_x"])) < np.std(part["gaze_x"])) & (
            np.abs(part["gaze_y"] - np.mean(part["gaze_y"])) < np.std(part["gaze_y"])
        )
        kept.append(part[mask])
    rows = pd.concat(kept)
    gaze = rows[["gaze_x", "gaze_y", "gaze_z"]].to_numpy()
    target = np.column_stack([rows["set_x"], rows["set_y"], np.zeros(len(rows))])
    turned = gaze * np.array([-1.0, -1.0, 1.0])

    def residual(x):
        return (target - (x + (-x[2] / gaze[:, 2])[:, None] * turned)).ravel()

    return least_squares(residual, [WIDTH_PX / 2, HEIGHT_PX / 2, WIDTH_PX]).x


def with_numpy():
    kept = []
    for index in range(int(table[-1, 0]) + 1):
        part = table[table[:, 0] == index]
        x, y = part[:, 1], part[:, 2]
        kept.append(part[(np.abs(x - x.mean()) < x.std()) & (np.abs(y - y.mean()) < y.std())])
    rows = np.concatenate(kept)
    u, v, sx, sy = rows[:, 1] / rows[:, 3], rows[:, 2] / rows[:, 3], rows[:, 4], rows[:, 5]
    du, dv = u - u.mean(), v - v.mean()
    depth = (du @ (sx - sx.mean()) + dv @ (sy - sy.mean())) / (du @ du + dv @ dv)
    return np.array([sx.mean() - depth * u.mean(), sy.mean() - depth * v.mean(), depth])


fit = with_scipy if which == "scipy" else with_numpy
found = fit()
before = time.process_time()
for _ in range(fits):
    found = fit()
print(json.dumps({"ms": (time.process_time() - before) * 1000 / fits, "x": list(found)}))
