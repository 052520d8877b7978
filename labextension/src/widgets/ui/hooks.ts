/** React hooks of the widgets: signals, and visibility. */
import type { ISignal } from '@lumino/signaling';
import * as React from 'react';

import type { EndpointView } from '../../generated';

/**
 * A model's present value, drawn again at its signal; `read` must return the same object until
 * then.
 */
export function useSignal<S, A, T>(signal: ISignal<S, A>, read: () => T): T {
  const subscribe = React.useCallback(
    (notify: () => void) => {
      const slot = (): void => {
        notify();
      };
      signal.connect(slot);
      return () => {
        signal.disconnect(slot);
      };
    },
    [signal]
  );
  return React.useSyncExternalStore(subscribe, read);
}

/** Whether an element can be seen: scrolled into view, its tab in front, and the page too. */
export function useVisible(element: React.RefObject<Element>): boolean {
  const [inView, setInView] = React.useState(true);
  const [page, setPage] = React.useState(!document.hidden);
  React.useEffect(() => {
    const onPage = (): void => {
      setPage(!document.hidden);
    };
    document.addEventListener('visibilitychange', onPage);
    const observer =
      typeof IntersectionObserver === 'undefined'
        ? null
        : new IntersectionObserver(entries => {
            setInView(entries.at(-1)?.isIntersecting ?? true);
          });
    if (element.current) observer?.observe(element.current);
    return () => {
      document.removeEventListener('visibilitychange', onPage);
      observer?.disconnect();
    };
  }, [element]);
  return inView && page;
}

/** The time, updated every `everyMs` while `active`. */
export function useNow(everyMs = 30_000, active = true): number {
  const [now, setNow] = React.useState(() => Date.now());
  React.useEffect(() => {
    if (!active) return undefined;
    const timer = setInterval(() => {
      setNow(Date.now());
    }, everyMs);
    return () => {
      clearInterval(timer);
    };
  }, [everyMs, active]);
  return now;
}

/** Changes with each request and each revision; null: the requests are not counted. */
export function stampOf(view: EndpointView): string | null {
  const counts = view.cards.map(card => card.counts?.requests ?? null);
  return counts.includes(null) ? null : JSON.stringify([view.revision, counts]);
}

/** A document from the server: the last one stays while the next is requested. */
export interface Loaded<T> {
  readonly value: T | null;
  readonly error: unknown;
  readonly loading: boolean;
  /** Requests it again. */
  readonly reload: () => void;
}

/**
 * Loads when `key` changes, and every `everyMs` while `active`; with a `stamp` only if that has
 * changed since the last load. The result of an earlier key is not shown.
 */
export function useLoaded<T>(
  key: string,
  load: (signal: AbortSignal) => Promise<T>,
  {
    everyMs = 0,
    active = true,
    stamp = null
  }: { everyMs?: number; active?: boolean; stamp?: string | null } = {}
): Loaded<T> {
  const [state, setState] = React.useState<{ key: string; value: T | null; error: unknown }>({
    key,
    value: null,
    error: null
  });
  const [loading, setLoading] = React.useState(false);
  const [round, setRound] = React.useState(0);
  const latest = React.useRef({ load, stamp });
  React.useEffect(() => {
    latest.current = { load, stamp };
  });
  React.useEffect(() => {
    if (!active) return undefined;
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let seen: string | null = null;
    const repeat = (): void => {
      const now = latest.current.stamp;
      if (now === null || now !== seen) void request();
      else timer = setTimeout(repeat, everyMs);
    };
    const request = async (): Promise<void> => {
      setLoading(true);
      seen = latest.current.stamp;
      try {
        const value = await latest.current.load(stop.signal);
        if (!stop.signal.aborted) setState({ key, value, error: null });
      } catch (error) {
        seen = null;
        if (!stop.signal.aborted)
          setState(before => ({ key, value: before.key === key ? before.value : null, error }));
      }
      if (stop.signal.aborted) return;
      setLoading(false);
      if (everyMs > 0) timer = setTimeout(repeat, everyMs);
    };
    void request();
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [key, everyMs, active, round]);
  const reload = React.useCallback(() => {
    setRound(before => before + 1);
  }, []);
  const fits = state.key === key;
  return { value: fits ? state.value : null, error: fits ? state.error : null, loading, reload };
}

/** A value once it has not changed for `ms`; null is taken at once. */
export function useDebounced<T>(value: T, ms: number): T {
  const [settled, setSettled] = React.useState(value);
  React.useEffect(() => {
    const timer = setTimeout(
      () => {
        setSettled(value);
      },
      value === null ? 0 : ms
    );
    return () => {
      clearTimeout(timer);
    };
  }, [value, ms]);
  return settled;
}

/** A pause in typing of this length ends a text. */
export const TYPING_MS = 250;
