import numpy as np


class Environment:
    def __init__(self):
        self.timestep = 0.01
        self.frame_skip = 5
        self.dt = self.timestep * self.frame_skip
        self.gravity = np.array([0.0, -9.81])
        self.forward_reward_weight = 1.0
        self.ctrl_cost_weight = 0.1
        self.reset_noise_scale = 0.1
        self.max_episode_steps = 1000

        # Joints: rootx, rootz, rooty, bthigh, bshin, bfoot, fthigh, fshin, ffoot
        self.armature = np.array([0.0] * 3 + [0.1] * 6)
        self.damping = np.array([0, 0, 0, 6, 4.5, 3, 4.5, 3, 1.5])
        self.stiffness = np.array([0, 0, 0, 240.0, 180, 120, 180, 120, 60])
        self.gear = np.array([120.0, 90, 60, 120, 60, 30])
        self.lower = np.array([-0.52, -0.785, -0.4, -1.0, -1.2, -0.5])
        self.upper = np.array([1.05, 0.785, 0.785, 0.7, 0.87, 0.5])

        # Bodies: torso, bthigh, bshin, bfoot, fthigh, fshin, ffoot
        # The hinge of body b is the degree of freedom b + 2
        self.parents = [-1, 0, 1, 2, 0, 4, 5]
        self.offsets = np.array(
            [
                [0.0, 0.7],
                [-0.5, 0.0],
                [0.16, -0.25],
                [-0.28, -0.14],
                [0.5, 0.0],
                [-0.14, -0.24],
                [0.13, -0.18],
            ]
        )
        # chain[b, j] = 1 if hinge j moves body b
        self.chain = np.zeros((7, 7))
        for b in range(7):
            j = b
            while j >= 0:
                self.chain[b, j] = 1.0
                j = self.parents[j]

        # Capsules: body, center (x, z), angle around y, half length
        self.radius = 0.046
        self._build_bodies(
            [
                (0, (0.0, 0.0), 0.5 * np.pi, 0.5),
                (0, (0.6, 0.1), 0.87, 0.15),
                (1, (0.1, -0.13), -3.8, 0.145),
                (2, (-0.14, -0.07), -2.03, 0.15),
                (3, (0.03, -0.097), -0.27, 0.094),
                (4, (-0.07, -0.12), 0.52, 0.133),
                (5, (0.065, -0.09), -0.6, 0.106),
                (6, (0.045, -0.07), -0.6, 0.07),
            ]
        )

        # Constraints (solref 0.02 1, solimp 0 0.8 with width 0.01 or 0.03)
        self.mu = 0.4
        self.dmin, self.dmax = 1e-4, 0.8
        self.contact_width, self.limit_width = 0.01, 0.03
        self.b_ref = 2.0 / (self.dmax * 0.02)
        self.k_ref = 1.0 / (self.dmax * 0.02) ** 2
        kin = self._kinematics(np.zeros(9))
        minv = np.linalg.inv(self._mass_matrix(kin))
        self.dof_invweight = np.diag(minv).copy()
        self.body_invweight = np.array(
            [np.trace(J @ minv @ J.T) / 3.0 for J in kin["jac"]]
        )

        self.qpos = np.zeros(9)
        self.qvel = np.zeros(9)
        self.step_count = 0
        self.done = False

    def _build_bodies(self, capsules):
        r = self.radius
        mass, first, second = np.zeros(7), np.zeros((7, 2)), np.zeros(7)
        ends, end_bodies = [], []
        for body, center, angle, half in capsules:
            p, h = np.array(center), 2.0 * half
            cyl = np.pi * r**2 * h
            sph = 4.0 / 3.0 * np.pi * r**3
            inertia = cyl * (3.0 * r**2 + h**2) / 12.0 + sph * (
                0.4 * r**2 + h * (3.0 * r + 2.0 * h) / 8.0
            )
            mass[body] += cyl + sph
            first[body] += (cyl + sph) * p
            second[body] += inertia + (cyl + sph) * (p @ p)
            axis = np.array([np.sin(angle), np.cos(angle)])
            ends.extend([p + half * axis, p - half * axis])
            end_bodies.extend([body, body])
        scale = 14.0 / mass.sum()  # the total mass is 14
        self.com = first / mass[:, None]
        self.inertia = scale * (second - mass * (self.com**2).sum(axis=1))
        self.mass = scale * mass
        self.ends = np.array(ends)
        self.end_bodies = np.array(end_bodies)

    def set_state(self, state):
        s = np.array(state, dtype=np.float64).reshape(-1)
        noise = self.reset_noise_scale
        if np.all(np.abs(s[:8]) <= noise) and np.all(np.abs(s[8:17]) <= 5.0 * noise):
            # Starting observation: the simulation is in the null state
            self.qpos = np.zeros(9)
            self.qvel = np.zeros(9)
        else:
            self.qpos = np.concatenate([[0.0], s[:8]])  # x is not observed
            self.qvel = s[8:17].copy()
        self.step_count = 0
        self.done = False

    def step(self, action):
        a = np.asarray(action, dtype=np.float64).reshape(-1)[:6]
        ctrl = np.clip(a, -1.0, 1.0)
        x0 = self.qpos[0]
        for _ in range(self.frame_skip):
            self._simulate(ctrl)
        forward = self.forward_reward_weight * (self.qpos[0] - x0) / self.dt
        ctrl_cost = self.ctrl_cost_weight * np.sum(np.square(a))
        reward = float(forward - ctrl_cost)
        self.step_count += 1
        self.done = bool(self.step_count >= self.max_episode_steps)
        return np.concatenate([self.qpos[1:], self.qvel]), reward, self.done

    @staticmethod
    def _rot(c, s, p):
        x, z = p[..., 0], p[..., 1]
        return np.stack([c * x + s * z, c * z - s * x], axis=-1)

    def _kinematics(self, q):
        angle = self.chain @ q[2:]
        c, s = np.cos(angle), np.sin(angle)
        origin, arm = np.zeros((7, 2)), np.zeros((7, 2))
        origin[0] = self.offsets[0] + q[:2]
        for b in range(1, 7):
            p = self.parents[b]
            arm[b] = self._rot(c[p], s[p], self.offsets[b])
            origin[b] = origin[p] + arm[b]
        lever = self._rot(c, s, self.com)
        kin = {"c": c, "s": s, "origin": origin, "arm": arm, "lever": lever}
        kin["jac"] = self._jacobians(kin, origin + lever, np.arange(7))
        return kin

    def _jacobians(self, kin, points, bodies):
        # A rotation around y moves the relative position (x, z) by (z, -x)
        rel = points[:, None, :] - kin["origin"][None, :, :]
        J = np.zeros((len(points), 2, 9))
        J[:, 0, 0] = J[:, 1, 1] = 1.0
        J[:, 0, 2:] = rel[:, :, 1] * self.chain[bodies]
        J[:, 1, 2:] = -rel[:, :, 0] * self.chain[bodies]
        return J

    def _mass_matrix(self, kin):
        J = kin["jac"]
        M = np.einsum("b,bki,bkj->ij", self.mass, J, J)
        M[2:, 2:] += self.chain.T @ np.diag(self.inertia) @ self.chain
        return M + np.diag(self.armature)

    def _smooth_force(self, kin, q, v, ctrl):
        w2 = (self.chain @ v[2:]) ** 2
        acc = np.zeros((7, 2))
        for b in range(1, 7):
            p = self.parents[b]
            acc[b] = acc[p] - w2[p] * kin["arm"][b]
        acc = acc - w2[:, None] * kin["lever"]
        f = np.einsum("b,bki,bk->i", self.mass, kin["jac"], self.gravity - acc)
        f -= self.damping * v + self.stiffness * q
        f[3:] += self.gear * ctrl
        return f

    def _impedance(self, dist, width):
        x = min(-dist / width, 1.0)
        y = 2.0 * x**2 if x <= 0.5 else 1.0 - 2.0 * (1.0 - x) ** 2
        return self.dmin + y * (self.dmax - self.dmin)

    def _constraints(self, kin, q):
        rows = []  # (jacobian, distance, impedance, regularization)
        for j in range(6):
            for sign, dist in (
                (1.0, q[3 + j] - self.lower[j]),
                (-1.0, self.upper[j] - q[3 + j]),
            ):
                if dist < 0:
                    J = np.zeros(9)
                    J[3 + j] = sign
                    imp = self._impedance(dist, self.limit_width)
                    reg = (1 - imp) / imp * self.dof_invweight[3 + j]
                    rows.append((J, dist, imp, reg))

        eb = self.end_bodies
        pos = kin["origin"][eb] + self._rot(kin["c"][eb], kin["s"][eb], self.ends)
        dists = pos[:, 1] - self.radius
        for i in np.where(dists < 0)[0]:
            dist = dists[i]
            point = np.array([[pos[i, 0], 0.5 * dist]])
            Jt, Jn = self._jacobians(kin, point, eb[i : i + 1])[0]
            imp = self._impedance(dist, self.contact_width)
            diag = self.body_invweight[eb[i]] * (1.0 + self.mu**2)
            reg = 2.0 * self.mu**2 * (1 - imp) / imp * diag
            # Edges of the friction pyramid (no motion in the y direction)
            for J in (Jn + self.mu * Jt, Jn - self.mu * Jt, Jn, Jn):
                rows.append((J, dist, imp, reg))
        return rows

    def _simulate(self, ctrl):
        q, v, h = self.qpos, self.qvel, self.timestep
        kin = self._kinematics(q)
        M = self._mass_matrix(kin)
        f = self._smooth_force(kin, q, v, ctrl)
        rows = self._constraints(kin, q)
        if rows:
            J = np.array([r[0] for r in rows])
            dist, imp, reg = (np.array([r[k] for r in rows]) for k in (1, 2, 3))
            aref = -self.b_ref * (J @ v) - self.k_ref * imp * dist
            f = f + self._solve(M, f, J, aref, 1.0 / np.maximum(reg, 1e-15))
        # Semi-implicit Euler, implicit in the joint damping
        acc = np.linalg.solve(M + h * np.diag(self.damping), f)
        self.qvel = v + h * acc
        self.qpos = q + h * self.qvel

    def _solve(self, M, f, J, aref, D):
        # Newton method for the constrained accelerations
        a0 = np.linalg.solve(M, f)

        def residual(x):
            return np.minimum(J @ x - aref, 0.0)

        def cost(x):
            res = residual(x)
            return 0.5 * (x - a0) @ M @ (x - a0) + 0.5 * np.sum(D * res**2)

        a = a0.copy()
        for _ in range(100):
            res = residual(a)
            active = res < 0
            grad = M @ (a - a0) + J.T @ (D * res)
            Ja = J[active]
            H = M + Ja.T @ (D[active][:, None] * Ja)
            d = -np.linalg.solve(H, grad)
            if np.array_equal(residual(a + d) < 0, active):
                # The active set does not change: exact solution
                a = a + d
                break
            t, c0, slope = 1.0, cost(a), grad @ d
            while t > 1e-8 and cost(a + t * d) > c0 + 1e-4 * t * slope:
                t *= 0.5
            if t <= 1e-8:
                break
            a = a + t * d
        return -J.T @ (D * residual(a))
