# %% descend: a new array, which the layer never sees
# rule: `p` itself changes, and no array is allocated.
    p = p - lr * direction
# %% descend: right numbers, but a new array for the product
# rule: `p` itself changes, and no array is allocated.
    p -= lr * direction
# %% descend: changes the direction in place
# rule: `direction` must not change, since others still need it.
    direction *= lr
    p -= direction
# %% descend: climbs
    np.multiply(direction, lr, out=scratch)
    p += scratch
# %% descend: writes the product into scratch and forgets the rest
    np.multiply(direction, lr, out=scratch)
    p = p - scratch
# %% accumulate: a new array
# rule: Write the first half, in place and without a new array
    v = momentum * v + g
# %% accumulate: a running mean in place of a sum
    v *= momentum
    v += (1 - momentum) * g
# %% accumulate: right numbers, but new arrays on the way
# rule: Write the first half, in place and without a new array
    v[:] = momentum * v + g
# %% accumulate: the friction acts on the new gradient, too
    v += g
    v *= momentum
# %% accumulate: scales the gradient in place
# rule: `g` must not change. Two lines.
    v *= momentum
    g *= 1 - momentum
    v += g
# %% look_ahead: returns a new array
# rule: into `out`, and return `out`
    return g + momentum * v
# %% look_ahead: changes the velocity
# rule: `g` and `v` must not change, and no array is allocated.
    v *= momentum
    np.add(g, v, out=out)
    return out
# %% look_ahead: forgets the momentum
    np.add(g, v, out=out)
    return out
# %% look_ahead: forgets to return
# rule: into `out`, and return `out`
    np.multiply(v, momentum, out=out)
    out += g
# %% look_ahead: right numbers, but a new array on the way
# rule: `g` and `v` must not change, and no array is allocated.
    out[:] = g + momentum * v
    return out
# %% decayed: adds to the gradient in place
# rule: `g` and `p` must not change, and no array is allocated.
    g += weight_decay * p
    return g
# %% decayed: shrinks the parameter itself
# rule: `g` and `p` must not change, and no array is allocated.
    p *= 1 - weight_decay
    return g
# %% decayed: copies the gradient where there is nothing to do
# rule: If $\lambda$ is 0, return `g` itself and leave `out` alone.
    np.multiply(p, weight_decay, out=out)
    out += g
    return out
# %% decayed: pulls away from zero
    if weight_decay == 0:
        return g
    np.multiply(p, -weight_decay, out=out)
    out += g
    return out
# %% decayed: right numbers, but a new array on the way
# rule: `g` and `p` must not change, and no array is allocated.
    if weight_decay == 0:
        return g
    out[:] = g + weight_decay * p
    return out
# %% blend: a sum that fades, as in accumulate
    m *= beta
    m += x
# %% blend: beta and 1 - beta the wrong way round
    np.subtract(x, m, out=scratch)
    scratch *= beta
    m += scratch
# %% blend: overwrites m before it is needed
# rule: Write it in place.
    m *= beta
    np.subtract(x, m, out=scratch)
    scratch *= 1 - beta
    m += scratch
# %% blend: new arrays on the way
# rule: There is one scratch array, and no other may be allocated.
    m += (1 - beta) * (x - m)
# %% blend: scales x in place
# rule: `x` must not change, unless the caller passes `x` itself as `scratch`.
    m *= beta
    x *= 1 - beta
    m += x
# %% step_lr: multiplies once and never again
        return base if t < self.step_size else base * self.gamma
# %% step_lr: shrinks after every step
        return base * self.gamma ** (t / self.step_size)
# %% step_lr: one step too late
        return base * self.gamma ** ((t - 1) // self.step_size)
# %% step_lr: multiplies the present rate instead of the first
# rule: from `t` and `base` alone. One line.
        lr = self.optimizer.param_groups[0]["lr"]
        return lr * self.gamma if t and t % self.step_size == 0 else lr
# %% rmsprop: divides by the mean of squares without the root
        np.multiply(g, g, out=work)
        blend(s, work, alpha, work)
        np.divide(g, s + eps, out=work)
        descend(p, work, lr, work)
# %% rmsprop: eps inside the root
        np.multiply(g, g, out=work)
        blend(s, work, alpha, work)
        np.sqrt(s + eps, out=work)
        np.divide(g, work, out=work)
        descend(p, work, lr, work)
# %% rmsprop: divides the gradient in place
# rule: `g` may be the gradient itself, so it must not change.
        np.multiply(g, g, out=work)
        blend(s, work, alpha, work)
        np.sqrt(s, out=work)
        work += eps
        g /= work
        descend(p, g, lr, work)
# %% rmsprop: takes the root of the state itself
        np.multiply(g, g, out=work)
        blend(s, work, alpha, work)
        np.sqrt(s, out=s)
        np.divide(g, s + eps, out=work)
        descend(p, work, lr, work)
# %% rmsprop: averages the gradient, not its square
        blend(s, g, alpha, work)
        np.abs(s, out=work)
        work += eps
        np.divide(g, work, out=work)
        descend(p, work, lr, work)
# %% rmsprop: right numbers, but a new array for each operation
# rule: No array is allocated: `blend` and `descend` accept `work` as value and as scratch.
        blend(s, g**2, alpha, work)
        p -= lr * g / (np.sqrt(s) + eps)
# %% adam: no correction of the bias
        blend(m, g, beta1, work)
        np.multiply(g, g, out=work)
        blend(v, work, beta2, work)
        np.sqrt(v, out=work)
        work += eps
        np.divide(m, work, out=work)
        descend(p, work, lr, work)
# %% adam: corrects the state itself, again and again
# rule: `m` and `v` are remembered as they are: never divide the arrays themselves.
        blend(m, g, beta1, work)
        np.multiply(g, g, out=work)
        blend(v, work, beta2, work)
        m /= 1 - beta1**t
        v /= 1 - beta2**t
        np.sqrt(v, out=work)
        work += eps
        np.divide(m, work, out=work)
        descend(p, work, lr, work)
# %% adam: corrects with t = 0 at the first step
# rule: `t` is 1 at the first step.
        blend(m, g, beta1, work)
        np.multiply(g, g, out=work)
        blend(v, work, beta2, work)
        np.sqrt(v, out=work)
        work /= math.sqrt(1 - beta2 ** (t - 1))
        work += eps
        np.divide(m, work, out=work)
        descend(p, work, lr / (1 - beta1 ** (t - 1)), work)
# %% adam: forgets the root of the correction
        blend(m, g, beta1, work)
        np.multiply(g, g, out=work)
        blend(v, work, beta2, work)
        np.sqrt(v, out=work)
        work /= 1 - beta2**t
        work += eps
        np.divide(m, work, out=work)
        descend(p, work, lr / (1 - beta1**t), work)
# %% adam: the gradient in place of its mean
        blend(m, g, beta1, work)
        np.multiply(g, g, out=work)
        blend(v, work, beta2, work)
        np.sqrt(v, out=work)
        work /= math.sqrt(1 - beta2**t)
        work += eps
        np.divide(g, work, out=work)
        descend(p, work, lr, work)
# %% adam: eps added before the correction
        blend(m, g, beta1, work)
        np.multiply(g, g, out=work)
        blend(v, work, beta2, work)
        np.sqrt(v, out=work)
        work += eps
        work /= math.sqrt(1 - beta2**t)
        np.divide(m, work, out=work)
        descend(p, work, lr / (1 - beta1**t), work)
# %% adam: as it stands in the paper, a new array for each operation
# rule: No array is allocated. Build the denominator in `work`, then the quotient.
        m[:] = beta1 * m + (1 - beta1) * g
        v[:] = beta2 * v + (1 - beta2) * g * g
        p -= lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)
# %% adamw: adds the decay to the gradient, as Adam does
# rule: So the decay must not pass through that division.
        super().update(p, g, state, scratch, t, lr, betas, eps, weight_decay)
# %% adamw: decays, and hands the decay on as well
# rule: So the decay must not pass through that division.
        p *= 1 - lr * weight_decay
        super().update(p, g, state, scratch, t, lr, betas, eps, weight_decay)
# %% adamw: decays without the rate
        p *= 1 - weight_decay
        super().update(p, g, state, scratch, t, lr, betas, eps, 0.0)
# %% adamw: a new array, which the layer never sees
# rule: Shrink `p` in place, without a new array.
        p = p * (1 - lr * weight_decay)
        super().update(p, g, state, scratch, t, lr, betas, eps, 0.0)
# %% adamw: decays after the step
        super().update(p, g, state, scratch, t, lr, betas, eps, 0.0)
        p *= 1 - lr * weight_decay
# %% cosine: a straight line
    return start + (end - start) * share
# %% cosine: a whole wave
    return end + (start - end) * (1 + math.cos(2 * math.pi * share)) / 2
# %% cosine: a quarter of a wave, steep at the end
    return end + (start - end) * math.cos(math.pi / 2 * share)
# %% cosine: forgets the end
    return start * (1 + math.cos(math.pi * share)) / 2
# %% cosine: begins at the end
    return start + (end - start) * (1 + math.cos(math.pi * share)) / 2
# %% clip: each gradient by itself
# rule: multiply all of them by one factor
    total = math.sqrt(sum(float((g**2).sum()) for g in grads))
    if error_if_nonfinite and not math.isfinite(total):
        raise RuntimeError(f"the norm is {total}")
    for g in grads:
        n = math.sqrt(float((g**2).sum()))
        if n > max_norm:
            g *= max_norm / (n + 1e-6)
    return total
# %% clip: lengthens short gradients, too
    total = math.sqrt(sum(float((g**2).sum()) for g in grads))
    if error_if_nonfinite and not math.isfinite(total):
        raise RuntimeError(f"the norm is {total}")
    for g in grads:
        g *= max_norm / (total + 1e-6)
    return total
# %% clip: a new array, which the parameter never sees
# rule: Write it in place, and return $n$ before clipping, as a Python float.
    total = math.sqrt(sum(float((g**2).sum()) for g in grads))
    if error_if_nonfinite and not math.isfinite(total):
        raise RuntimeError(f"the norm is {total}")
    if total > max_norm:
        for g in grads:
            g = g * (max_norm / (total + 1e-6))
    return total
# %% clip: cuts each number by itself
    total = math.sqrt(sum(float((g**2).sum()) for g in grads))
    if error_if_nonfinite and not math.isfinite(total):
        raise RuntimeError(f"the norm is {total}")
    for g in grads:
        np.clip(g, -max_norm, max_norm, out=g)
    return total
# %% clip: the sum of the norms is not the norm of all
    total = sum(math.sqrt(float((g**2).sum())) for g in grads)
    if error_if_nonfinite and not math.isfinite(total):
        raise RuntimeError(f"the norm is {total}")
    if total > max_norm:
        for g in grads:
            g *= max_norm / (total + 1e-6)
    return total
# %% clip: complains after the damage
# rule: With `error_if_nonfinite`, raise a `RuntimeError` before anything changes.
    total = math.sqrt(sum(float((g**2).sum()) for g in grads))
    if total > max_norm:
        for g in grads:
            g *= max_norm / (total + 1e-6)
    if error_if_nonfinite and not math.isfinite(total):
        raise RuntimeError(f"the norm is {total}")
    return total
# %% clip: returns the norm after clipping
# rule: Write it in place, and return $n$ before clipping, as a Python float.
    total = math.sqrt(sum(float((g**2).sum()) for g in grads))
    if error_if_nonfinite and not math.isfinite(total):
        raise RuntimeError(f"the norm is {total}")
    if total > max_norm:
        for g in grads:
            g *= max_norm / (total + 1e-6)
    return min(total, max_norm)
# %% descend: adds to what is in scratch already
    scratch += direction
    scratch *= lr
    p -= scratch
# %% look_ahead: adds to what is in out already
    out += v
    out *= momentum
    out += g
    return out
# %% decayed: adds to what is in out already
    if weight_decay == 0:
        return g
    out += p
    out *= weight_decay
    out += g
    return out
# %% decayed: keeps 1 - weight_decay of the parameter
    if weight_decay == 0:
        return g
    np.multiply(p, 1 - weight_decay, out=out)
    out += g
    return out
# %% blend: the left form, in which the scratch holds what x must still give
# rule: as soon as `scratch` is written, `x` may be gone
    np.multiply(m, beta, out=scratch)
    np.multiply(x, 1 - beta, out=m)
    m += scratch
# %% step_lr: what the scheduler has counted, in place of t
# rule: from `t` and `base` alone. One line.
        return base * self.gamma ** (self.last_epoch // self.step_size)
# %% step_lr: one step too early
        return base * self.gamma ** ((t + 1) // self.step_size)
# %% rmsprop: the quotient upside down
        np.multiply(g, g, out=work)
        blend(s, work, alpha, work)
        np.sqrt(s, out=work)
        work += eps
        np.divide(work, g, out=work)
        descend(p, work, lr, work)
# %% rmsprop: divides first, and remembers afterwards
        np.sqrt(s, out=work)
        work += eps
        np.divide(g, work, out=work)
        descend(p, work, lr, work)
        np.multiply(g, g, out=work)
        blend(s, work, alpha, work)
# %% adam: counts pieces of parameters in place of steps
        self.t = getattr(self, "t", 0) + 1
        blend(m, g, beta1, work)
        np.multiply(g, g, out=work)
        blend(v, work, beta2, work)
        np.sqrt(v, out=work)
        work /= math.sqrt(1 - beta2**self.t)
        work += eps
        np.divide(m, work, out=work)
        descend(p, work, lr / (1 - beta1**self.t), work)
# %% adam: the betas exchanged
        blend(m, g, beta2, work)
        np.multiply(g, g, out=work)
        blend(v, work, beta1, work)
        np.sqrt(v, out=work)
        work /= math.sqrt(1 - beta1**t)
        work += eps
        np.divide(m, work, out=work)
        descend(p, work, lr / (1 - beta2**t), work)
# %% adam: overwrites g² while it is still needed
        np.multiply(g, g, out=work)
        blend(m, g, beta1, work)
        blend(v, work, beta2, work)
        np.sqrt(v, out=work)
        work /= math.sqrt(1 - beta2**t)
        work += eps
        np.divide(m, work, out=work)
        descend(p, work, lr / (1 - beta1**t), work)
# %% adamw: right numbers, but a new array for the decay
# rule: Shrink `p` in place, without a new array.
        p -= lr * weight_decay * p
        super().update(p, g, state, scratch, t, lr, betas, eps, 0.0)
# %% clip: walks the parameters again, which came once
# rule: Use the list `grads`: `parameters` may be a generator, which the first line has used up
    total = math.sqrt(sum(float((g**2).sum()) for g in grads))
    if error_if_nonfinite and not math.isfinite(total):
        raise RuntimeError(f"the norm is {total}")
    if total > max_norm:
        for p in parameters:
            if p.grad is not None:
                p.grad.data *= max_norm / (total + 1e-6)
    return total
# %% clip: the square of the norm
    total = sum(float((g**2).sum()) for g in grads)
    if error_if_nonfinite and not math.isfinite(total):
        raise RuntimeError(f"the norm is {total}")
    if total > max_norm:
        for g in grads:
            g *= max_norm / (total + 1e-6)
    return total
# %% clip: a number of NumPy in place of a float
# rule: Write it in place, and return $n$ before clipping, as a Python float.
    total = np.sqrt(sum((g**2).sum() for g in grads))
    if error_if_nonfinite and not np.isfinite(total):
        raise RuntimeError(f"the norm is {total}")
    if total > max_norm:
        for g in grads:
            g *= max_norm / (total + 1e-6)
    return total
# %% clip: notices what is infinite, but not nan
# rule: With `error_if_nonfinite`, raise a `RuntimeError` before anything changes.
    total = math.sqrt(sum(float((g**2).sum()) for g in grads))
    if error_if_nonfinite and math.isinf(total):
        raise RuntimeError(f"the norm is {total}")
    if total > max_norm:
        for g in grads:
            g *= max_norm / (total + 1e-6)
    return total
# %% clip: complains though nobody asked
# rule: Without it, return $n$ as always
    total = math.sqrt(sum(float((g**2).sum()) for g in grads))
    if not math.isfinite(total):
        raise RuntimeError(f"the norm is {total}")
    if total > max_norm:
        for g in grads:
            g *= max_norm / (total + 1e-6)
    return total
# %% clip: another kind of error
# rule: With `error_if_nonfinite`, raise a `RuntimeError` before anything changes.
    total = math.sqrt(sum(float((g**2).sum()) for g in grads))
    if error_if_nonfinite and not math.isfinite(total):
        raise ValueError(f"the norm is {total}")
    if total > max_norm:
        for g in grads:
            g *= max_norm / (total + 1e-6)
    return total
# %% decayed: writes into out where there is no decay
# rule: return `g` itself and leave `out` alone
    np.multiply(p, weight_decay, out=out)
    out += g
    return g if weight_decay == 0 else out
# %% sgd: steps along the gradient, whatever there is
        descend(p, g, lr, scratch[0])
# %% sgd: overwrites the gradient
# rule: `g` must not change, and no array is allocated.
        if weight_decay:
            g += weight_decay * p
        direction = g
        if momentum:
            (direction,) = state
            accumulate(direction, g, momentum)
            if nesterov:
                direction = look_ahead(g, direction, momentum, out=scratch[1])
        descend(p, direction, lr, scratch[1])
# %% sgd: the gradient is the scratch
# rule: `g` must not change, and no array is allocated.
        g = decayed(g, p, weight_decay, out=scratch[0])
        if momentum:
            accumulate(state[0], g, momentum)
            d = look_ahead(g, state[0], momentum, out=scratch[1]) if nesterov else state[0]
            descend(p, d, lr, scratch[1])
        else:
            descend(p, g, lr, g)
# %% sgd: the velocity is the scratch
        g = direction = decayed(g, p, weight_decay, out=scratch[0])
        if momentum:
            (direction,) = state
            accumulate(direction, g, momentum)
            if nesterov:
                direction = look_ahead(g, direction, momentum, out=scratch[1])
        descend(p, direction, lr, direction if momentum else scratch[1])
# %% sgd: the decay beside the momentum, not in it
# rule: the decay first, then the momentum, then the look ahead, then the step
        direction = g
        if momentum:
            (direction,) = state
            accumulate(direction, g, momentum)
            if nesterov:
                direction = look_ahead(g, direction, momentum, out=scratch[1])
        direction = decayed(direction, p, weight_decay, out=scratch[0])
        descend(p, direction, lr, scratch[1])
# %% sgd: looks ahead before the velocity is new
# rule: the decay first, then the momentum, then the look ahead, then the step
        g = direction = decayed(g, p, weight_decay, out=scratch[0])
        if momentum:
            (v,) = state
            direction = look_ahead(g, v, momentum, out=scratch[1]) if nesterov else v
            accumulate(v, g, momentum)
        descend(p, direction, lr, scratch[1])
# %% sgd: looks ahead without being asked
# rule: with momentum it is `v`; with `nesterov` it is what `look_ahead` returns
        g = direction = decayed(g, p, weight_decay, out=scratch[0])
        if momentum:
            accumulate(state[0], g, momentum)
            direction = look_ahead(g, state[0], momentum, out=scratch[1])
        descend(p, direction, lr, scratch[1])
# %% sgd: looks ahead along the gradient without its decay
        plain = g
        g = direction = decayed(g, p, weight_decay, out=scratch[0])
        if momentum:
            (direction,) = state
            accumulate(direction, g, momentum)
            if nesterov:
                direction = look_ahead(plain, direction, momentum, out=scratch[1])
        descend(p, direction, lr, scratch[1])
# %% sgd: asks for a state that is not there
# rule: `state` is the list `[v]` if there is momentum, else an empty list
        g = decayed(g, p, weight_decay, out=scratch[0])
        (v,) = state
        accumulate(v, g, momentum)
        if nesterov:
            v = look_ahead(g, v, momentum, out=scratch[1])
        descend(p, v, lr, scratch[1])
# %% sgd: right numbers, but a new array for each operation
# rule: `g` must not change, and no array is allocated.
        g = g + weight_decay * p
        if momentum:
            (v,) = state
            accumulate(v, g, momentum)
            g = g + momentum * v if nesterov else v
        p -= lr * g
# %% sgd: looks ahead in the scratch that holds the decayed gradient
        g = direction = decayed(g, p, weight_decay, out=scratch[0])
        if momentum:
            (direction,) = state
            accumulate(direction, g, momentum)
            if nesterov:
                direction = look_ahead(g, direction, momentum, out=scratch[0])
        descend(p, direction, lr, scratch[1])
# %% rmsprop: without eps
# rule: $\epsilon$ prevents 0/0 for a weight that never had a gradient.
        np.multiply(g, g, out=work)
        blend(s, work, alpha, work)
        np.sqrt(s, out=work)
        with np.errstate(all="ignore"):
            np.divide(g, work, out=work)
        descend(p, work, lr, work)
# %% adam: squares the gradient in place
# rule: `g` must not change.
        root = math.sqrt(1 - beta2**t)
        blend(m, g, beta1, work)
        g *= g
        blend(v, g, beta2, work)
        np.sqrt(v, out=work)
        work += eps * root
        np.divide(m, work, out=work)
        descend(p, work, lr * root / (1 - beta1**t), work)
# %% clip: without the millionth
    total = math.sqrt(sum(float((g**2).sum()) for g in grads))
    if error_if_nonfinite and not math.isfinite(total):
        raise RuntimeError(f"the norm is {total}")
    if total > max_norm:
        for g in grads:
            g *= max_norm / total
    return total
# %% rmsprop: the array that holds the decayed gradient as scratch
# rule: With a decay it lies in `other`, so only `work` is free.
        np.multiply(g, g, out=work)
        blend(s, work, alpha, other)
        np.sqrt(s, out=work)
        work += eps
        np.divide(g, work, out=work)
        descend(p, work, lr, work)
# %% adam: the square in the array that holds the decayed gradient
# rule: with a decay it lies in `other`
        np.multiply(g, g, out=other)
        blend(v, other, beta2, work)
        blend(m, g, beta1, work)
        np.divide(v, 1 - beta2**t, out=work)
        np.sqrt(work, out=work)
        work += eps
        np.divide(m, work, out=work)
        descend(p, work, lr / (1 - beta1**t), work)
# %% clip: takes the rows of a lone tensor for parameters
# rule: or a lone tensor, whose rows are no parameters.
    total = math.sqrt(sum(float((g**2).sum()) for g in grads))
    if error_if_nonfinite and not math.isfinite(total):
        raise RuntimeError(f"the norm is {total}")
    if total > max_norm:
        for g in [p.grad.data for p in parameters if p.grad is not None] if isinstance(parameters, Tensor) else grads:
            g *= max_norm / (total + 1e-6)
    return total
