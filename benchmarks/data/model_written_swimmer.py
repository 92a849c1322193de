import numpy as np


class Environment:
    def __init__(self):
        # Simulation parameters (MuJoCo swimmer model)
        self.timestep = 0.01
        self.frame_skip = 4
        self.dt = self.timestep * self.frame_skip
        self.gear = 150.0
        self.armature = 0.1
        self.fluid_density = 4000.0
        self.fluid_viscosity = 0.1
        self.forward_reward_weight = 1.0
        self.ctrl_cost_weight = 1e-4
        self.reset_noise_scale = 0.1
        self.max_episode_steps = 1000

        # Links: capsules of radius 0.1 and length 1
        density, r, h = 1000.0, 0.1, 1.0
        cyl = density * np.pi * r**2 * h
        sph = density * 4.0 / 3.0 * np.pi * r**3
        self.mass = cyl + sph
        self.inertia = cyl * (3.0 * r**2 + h**2) / 12.0 + sph * (
            2.0 * r**2 / 5.0 + h * (3.0 * r + 2.0 * h) / 8.0
        )
        axial_inertia = cyl * r**2 / 2.0 + sph * 2.0 * r**2 / 5.0

        # Equivalent inertia box, used for the fluid forces
        self.box_a = np.sqrt(6.0 * (2.0 * self.inertia - axial_inertia) / self.mass)
        self.box_p = np.sqrt(6.0 * axial_inertia / self.mass)
        self.diam = (self.box_a + 2.0 * self.box_p) / 3.0

        # Bodies: torso, mid, back. Body origin in the parent frame and
        # center of mass in the body frame, both along the link axis
        self.origin_x = [0.0, 0.5, -1.0]
        self.com_x = [1.0, -0.5, -0.5]

        # Soft limits of the rotors
        self.limit = np.deg2rad(100.0)
        self.sol_timeconst = max(0.02, 2.0 * self.timestep)
        self.imp_min, self.imp_max, self.imp_width = 0.9, 0.95, 0.001
        m0, _ = self._smooth(np.zeros(5), np.zeros(5), np.zeros(2))
        self.dof_invweight = np.diag(np.linalg.inv(m0)).copy()

        # Internal state: x, y, angle of the front link, angles of the rotors
        noise = self.reset_noise_scale
        self.qpos = np.random.uniform(-noise, noise, size=5)
        self.qvel = np.random.uniform(-noise, noise, size=5)
        self.steps = 0
        self.done = False

    def set_state(self, state):
        s = np.array(state, dtype=np.float64).flatten()
        # The position of the tip is not observed
        self.qpos = np.concatenate([[0.0, 0.0], s[:3]])
        self.qvel = s[3:8].copy()
        self.steps = 0
        self.done = False

    def step(self, action):
        a = np.asarray(action, dtype=np.float64).flatten()[:2]
        torque = self.gear * np.clip(a, -1.0, 1.0)

        x_before = self.qpos[0]
        for _ in range(self.frame_skip):
            self._rk4(torque)
        x_velocity = (self.qpos[0] - x_before) / self.dt

        forward_reward = self.forward_reward_weight * x_velocity
        ctrl_cost = self.ctrl_cost_weight * np.sum(np.square(a))
        reward = float(forward_reward - ctrl_cost)

        self.steps += 1
        self.done = bool(self.steps >= self.max_episode_steps)
        obs = np.concatenate([self.qpos[2:], self.qvel])
        return obs, reward, self.done

    def _smooth(self, q, v, torque):
        # Mass matrix and generalized forces without constraints
        angles = np.cumsum(q[2:])
        omegas = np.cumsum(v[2:])
        axes = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        normals = np.stack([-axes[:, 1], axes[:, 0]], axis=1)

        M = self.armature * np.eye(5)
        force = np.zeros(5)
        force[3:] = torque

        pivots = []
        origin = np.array(q[:2], dtype=np.float64)
        acc_origin = np.zeros(2)
        for b in range(3):
            if b > 0:
                d = self.origin_x[b] * axes[b - 1]
                origin = origin + d
                acc_origin = acc_origin - omegas[b - 1] ** 2 * d
            pivots.append(origin)
            d = self.com_x[b] * axes[b]
            com = origin + d
            acc = acc_origin - omegas[b] ** 2 * d

            # Jacobians of the center of mass and of the rotation
            jac = np.zeros((2, 5))
            jac[0, 0] = jac[1, 1] = 1.0
            rot = np.zeros(5)
            for j in range(b + 1):
                rel = com - pivots[j]
                jac[:, 2 + j] = [-rel[1], rel[0]]
                rot[2 + j] = 1.0

            M += self.mass * jac.T @ jac + self.inertia * np.outer(rot, rot)
            force -= self.mass * jac.T @ acc

            # Fluid forces
            vel = jac @ v
            va, vp, w = vel @ axes[b], vel @ normals[b], omegas[b]
            rho, mu = self.fluid_density, self.fluid_viscosity
            ba, bp, diam = self.box_a, self.box_p, self.diam
            viscous = 3.0 * np.pi * diam * mu
            fa = -viscous * va - 0.5 * rho * bp * bp * abs(va) * va
            fp = -viscous * vp - 0.5 * rho * ba * bp * abs(vp) * vp
            t = (
                -np.pi * diam**3 * mu * w
                - rho * bp * (ba**4 + bp**4) * abs(w) * w / 64.0
            )
            force += jac.T @ (fa * axes[b] + fp * normals[b]) + rot * t

        return M, force

    def _acceleration(self, q, v, torque):
        M, force = self._smooth(q, v, torque)
        m_inv = np.linalg.inv(M)
        acc = m_inv @ force

        # Joint limits of the two rotors
        dofs, signs, arefs, regs = [], [], [], []
        for dof in (3, 4):
            dist = self.limit - abs(q[dof])
            if dist < 0:
                sign = -1.0 if q[dof] > 0 else 1.0
                imp = self._impedance(dist)
                k = 1.0 / (self.imp_max * self.sol_timeconst) ** 2
                b = 2.0 / (self.imp_max * self.sol_timeconst)
                dofs.append(dof)
                signs.append(sign)
                arefs.append(-b * sign * v[dof] - k * imp * dist)
                regs.append((1.0 - imp) / imp * self.dof_invweight[dof])
        if dofs:
            J = np.zeros((len(dofs), 5))
            J[np.arange(len(dofs)), dofs] = signs
            A = J @ m_inv @ J.T + np.diag(regs)
            rhs = np.array(arefs) - J @ acc
            f = np.zeros(len(dofs))
            for _ in range(50 if len(dofs) > 1 else 1):
                for i in range(len(dofs)):
                    f[i] = max(0.0, f[i] + (rhs[i] - A[i] @ f) / A[i, i])
            acc = acc + m_inv @ (J.T @ f)
        return acc

    def _impedance(self, dist):
        x = min(abs(dist) / self.imp_width, 1.0)
        y = 2.0 * x**2 if x <= 0.5 else 1.0 - 2.0 * (1.0 - x) ** 2
        return self.imp_min + y * (self.imp_max - self.imp_min)

    def _rk4(self, torque):
        h = self.timestep
        q, v = self.qpos, self.qvel

        a1 = self._acceleration(q, v, torque)
        v2 = v + 0.5 * h * a1
        a2 = self._acceleration(q + 0.5 * h * v, v2, torque)
        v3 = v + 0.5 * h * a2
        a3 = self._acceleration(q + 0.5 * h * v2, v3, torque)
        v4 = v + h * a3
        a4 = self._acceleration(q + h * v3, v4, torque)

        self.qpos = q + h / 6.0 * (v + 2.0 * v2 + 2.0 * v3 + v4)
        self.qvel = v + h / 6.0 * (a1 + 2.0 * a2 + 2.0 * a3 + a4)
