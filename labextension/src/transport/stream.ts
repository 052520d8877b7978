import type { IDisposable } from '@lumino/disposable';
import { type ISignal, Signal } from '@lumino/signaling';

import type { JobEvent } from '../generated';
import { ProblemError, problemError } from './request';
import type { Transport } from './transport';

const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 8_000;

/**
 * The one stream of changes: events of jobs, and endpoints' revisions, of all clients. It
 * reconnects by itself and names the last event that it received, so that none is missed.
 */
export class EventStream implements IDisposable {
  constructor(private readonly transport: Transport) {}

  /** An event of a job. */
  get job(): ISignal<this, JobEvent> {
    return this._job;
  }

  /** The revision of every endpoint, when one has changed and at each connection. */
  get endpoints(): ISignal<this, Record<string, number>> {
    return this._endpoints;
  }

  /** Emitted when the connection opens and closes, and when the reason for a failure changes. */
  get connected(): ISignal<this, boolean> {
    return this._connected;
  }

  get isConnected(): boolean {
    return this._isConnected;
  }

  /** The reason why it is not connected; null: it is connected, or was not started. */
  get problem(): ProblemError | null {
    return this._problem;
  }

  get isStarted(): boolean {
    return this._stop !== null;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** Connect, and reconnect when the connection breaks. A second call does nothing. */
  start(): void {
    if (this._stop === null && !this._isDisposed) {
      this._stop = new AbortController();
      void this._run(this._stop.signal);
    }
  }

  dispose(): void {
    this._isDisposed = true;
    this._stop?.abort();
    Signal.clearData(this);
  }

  private async _run(stop: AbortSignal): Promise<void> {
    let wait = FIRST_WAIT_MS;
    while (!stop.aborted) {
      try {
        await this._read(stop, () => {
          wait = FIRST_WAIT_MS;
          this._setConnected(null);
        });
        this._setConnected(interrupted('the stream has ended'));
      } catch (error) {
        // After any end, it connects again.
        this._setConnected(error instanceof ProblemError ? error : interrupted(String(error)));
      }
      await pause(wait, stop);
      wait = Math.min(wait * 2, LONGEST_WAIT_MS);
    }
  }

  private async _read(stop: AbortSignal, opened: () => void): Promise<void> {
    await this.transport.listen(
      this._last,
      {
        opened,
        receive: (event, data, id) => {
          this._last = id ?? this._last;
          this._tell(event, data);
        }
      },
      stop
    );
  }

  private _tell(event: string, data: string): void {
    if (event === 'job') {
      this._job.emit(JSON.parse(data) as JobEvent);
    } else if (event === 'endpoints') {
      this._endpoints.emit(JSON.parse(data) as Record<string, number>);
    }
  }

  private _setConnected(problem: ProblemError | null): void {
    const known = this._problem;
    this._problem = problem;
    const value = problem === null;
    if (value !== this._isConnected || problem?.code !== known?.code) {
      this._isConnected = value;
      this._connected.emit(value);
    }
  }

  private _last = '';
  private _stop: AbortController | null = null;
  private _isConnected = false;
  private _problem: ProblemError | null = null;
  private _isDisposed = false;
  private readonly _job = new Signal<this, JobEvent>(this);
  private readonly _endpoints = new Signal<this, Record<string, number>>(this);
  private readonly _connected = new Signal<this, boolean>(this);
}

async function pause(milliseconds: number, stop: AbortSignal): Promise<void> {
  await new Promise<void>(resolve => {
    const end = (): void => {
      clearTimeout(timer);
      stop.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    stop.addEventListener('abort', end);
  });
}

function interrupted(details: string): ProblemError {
  return problemError({
    code: 'unreachable',
    title: 'The connection was interrupted.',
    details,
    remedy: 'It is repeated. This page shows the last known data.'
  });
}
