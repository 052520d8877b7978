import { Signal } from '@lumino/signaling';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { PAUSE_MS, Prefetch } from '../src/prefetch';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function notebook(): { isClosed: boolean; isIdle: boolean } {
  return { isClosed: false, isIdle: true };
}

function opened() {
  const executed = new Signal<object, ReturnType<typeof notebook> | null>({});
  const prepare = vi.fn();
  new Prefetch(
    executed,
    ran => ran && { closed: () => ran.isClosed, idle: () => ran.isIdle },
    prepare
  );
  return { executed, prepare };
}

describe('the preparation of the deploy dialog', () => {
  it('happens once, in the first pause after a cell', () => {
    const { executed, prepare } = opened();
    vi.advanceTimersByTime(10 * PAUSE_MS);
    expect(prepare).not.toHaveBeenCalled();
    executed.emit(notebook());
    expect(prepare).not.toHaveBeenCalled();
    vi.advanceTimersByTime(PAUSE_MS);
    expect(prepare).toHaveBeenCalledTimes(1);
    executed.emit(notebook());
    vi.advanceTimersByTime(PAUSE_MS);
    expect(prepare).toHaveBeenCalledTimes(1);
  });

  it('waits while cells run, and starts after the last one', () => {
    const { executed, prepare } = opened();
    const one = notebook();
    executed.emit(one);
    vi.advanceTimersByTime(PAUSE_MS - 1);
    executed.emit(one);
    one.isIdle = false;
    vi.advanceTimersByTime(10 * PAUSE_MS);
    expect(prepare).not.toHaveBeenCalled();
    one.isIdle = true;
    executed.emit(one);
    vi.advanceTimersByTime(PAUSE_MS);
    expect(prepare).toHaveBeenCalledTimes(1);
  });

  it('does not happen for a notebook that was closed, or of which nothing is known', () => {
    const { executed, prepare } = opened();
    const one = notebook();
    executed.emit(one);
    one.isClosed = true;
    vi.advanceTimersByTime(PAUSE_MS);
    executed.emit(null);
    vi.advanceTimersByTime(PAUSE_MS);
    expect(prepare).not.toHaveBeenCalled();
  });
});
