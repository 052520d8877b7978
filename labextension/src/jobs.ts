import type { IDisposable } from '@lumino/disposable';
import { type ISignal, Signal } from '@lumino/signaling';

import type {
  DeployRequest,
  Job,
  JobEvent,
  JobWithEvents,
  Requests,
  Results,
  Verb
} from './generated';
import { type ProblemError, requestAPI, type RequestOptions } from './transport/request';
import type { EventStream } from './transport/stream';
import type { Transport } from './transport/transport';

/** A started verb: the job of a slow verb, or the result of a fast one. */
export type Started<V extends Verb> = { job: Job } | { result: Results[V] };

const NOTHING: readonly JobEvent[] = [];
const ENDED: readonly Job['state'][] = ['done', 'failed', 'cancelled'];

export function hasEnded(job: Job): boolean {
  return ENDED.includes(job.state);
}

/** The jobs of the server and their events, of all clients. */
export class JobsModel implements IDisposable {
  constructor(
    private readonly stream: EventStream,
    private readonly transport: Transport
  ) {
    stream.job.connect(this._onEvent, this);
    stream.connected.connect(this._onConnected, this);
  }

  /** Emitted with the changed job. */
  get changed(): ISignal<this, Job> {
    return this._changed;
  }

  /** Newest first; the same array as long as nothing changes. */
  get all(): readonly Job[] {
    return this._all;
  }

  /** The jobs that have not ended. */
  get active(): readonly Job[] {
    return this._active;
  }

  /** The reason why no events arrive; null: the stream is connected. */
  get problem(): ProblemError | null {
    return this.stream.problem;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  get(id: string): Job | undefined {
    return this._jobs.get(id);
  }

  /** The events of a job, oldest first; complete after `load`. */
  events(id: string): readonly JobEvent[] {
    return this._events.get(id) ?? NOTHING;
  }

  /**
   * Start a verb; `revision`: refuse, with a stale `ProblemError`, if the endpoint has another one.
   */
  async start<V extends Verb>(
    verb: V,
    request: Requests[V],
    revision?: number | null
  ): Promise<Started<V>> {
    this.stream.start();
    const options: RequestOptions = { method: 'POST', body: request };
    if (revision !== undefined) {
      options.revision = revision;
    }
    const answer = await this._request<Job | Results[V]>(verb, options);
    if (answer.status !== 202) {
      return { result: answer.value as Results[V] };
    }
    const job = answer.value as Job;
    this._keep(job);
    return { job: this._jobs.get(job.id) ?? job };
  }

  /** A deploy of a model in a kernel: the job, which waits until `Kernel.capture` has its id. */
  async capture(request: DeployRequest): Promise<Job> {
    this.stream.start();
    const { value } = await this._request<Job>('captures', { method: 'POST', body: request });
    this._keep(value);
    return value;
  }

  /**
   * Report that the kernel, a process id, has the message: the job waits while it is busy and as
   * long as it exists. Repeated if the notebook's file is renamed in the meantime.
   */
  async assignKernel(id: string, kernel: number, notebook: string | null): Promise<void> {
    const path = `captures/${encodeURIComponent(id)}`;
    await this._request<Job>(path, { method: 'POST', body: { kernel, notebook } }); // the stream reports the outcome
  }

  async cancel(id: string): Promise<void> {
    const { value } = await this._request<Job | null>(`jobs/${encodeURIComponent(id)}`, {
      method: 'DELETE'
    });
    if (value !== null) {
      this._keep(value);
    }
  }

  /** The latest jobs, without their events. */
  async refresh(): Promise<void> {
    const { value } = await this._request<Job[]>('jobs', {});
    value.forEach(job => {
      this._keep(job);
    });
  }

  /** One job with all its events; throws a 404 `ProblemError` if it is no longer kept. */
  async load(id: string): Promise<Job> {
    this.stream.start();
    const { value } = await this._request<JobWithEvents>(`jobs/${encodeURIComponent(id)}`, {});
    const { events, ...job } = value;
    events.forEach(event => {
      this._add(event);
    });
    this._keep(job);
    return job;
  }

  /** Resolves with the job once it has ended, successfully or not. */
  async ended(id: string): Promise<Job> {
    const job = this._jobs.get(id) ?? (await this.load(id));
    if (hasEnded(job)) {
      return job;
    }
    return new Promise(resolve => {
      const look = (_: unknown, changed: Job): void => {
        if (changed.id === id && hasEnded(changed)) {
          this._changed.disconnect(look);
          resolve(changed);
        }
      };
      this._changed.connect(look);
    });
  }

  dispose(): void {
    this._isDisposed = true;
    Signal.clearData(this);
  }

  private async _request<T>(path: string, options: RequestOptions) {
    return requestAPI<T>(this.transport, path, options);
  }

  /** An end is final: an earlier event may arrive after it. */
  private _keep(job: Job): void {
    const known = this._jobs.get(job.id);
    if (!known || !hasEnded(known) || hasEnded(job)) {
      this._jobs.set(job.id, job);
      this._all = [...this._jobs.values()].sort((a, b) => b.created_at.localeCompare(a.created_at));
      this._active = this._all.filter(one => !hasEnded(one));
      this._changed.emit(job);
    }
  }

  /** Events come by the stream and by `load`, so some come twice. */
  private _add(event: JobEvent): boolean {
    const known = this._events.get(event.job) ?? [];
    const at = known.findIndex(one => one.id >= event.id);
    if (at >= 0 && known[at]?.id === event.id) {
      return false;
    }
    const all = at < 0 ? [...known, event] : known.toSpliced(at, 0, event);
    this._events.set(event.job, event.kind === 'underway' ? withoutOlder(all, event) : all);
    return true;
  }

  private _onEvent(_: EventStream, event: JobEvent): void {
    if (!this._add(event)) {
      return;
    }
    const known = this._jobs.get(event.job);
    if (event.kind === 'state') {
      this._keep(event.data as unknown as Job);
    } else if (known) {
      this._keep(event.kind === 'step' ? { ...known, ...stepped(event) } : known);
    } else {
      void this.load(event.job).catch(() => undefined); // it was trimmed in the meantime
    }
  }

  /**
   * After an interruption the list is read again: the stream repeats events after the last one, and
   * none at first.
   */
  private _onConnected(_: EventStream, connected: boolean): void {
    if (connected) {
      void this.refresh().catch(() => undefined); // the stream will report that the server is gone
    }
    this.active.forEach(job => {
      this._changed.emit(job);
    });
  }

  private _isDisposed = false;
  private _all: readonly Job[] = [];
  private _active: readonly Job[] = [];
  private readonly _jobs = new Map<string, Job>();
  private readonly _events = new Map<string, readonly JobEvent[]>();
  private readonly _changed = new Signal<this, Job>(this);
}

/** Each `underway` event is complete, so only the latest of a run is kept, as on the server. */
function withoutOlder(events: readonly JobEvent[], { data }: JobEvent): readonly JobEvent[] {
  const same = events.filter(
    one => one.kind === 'underway' && one.data.run === data.run && one.data.side === data.side
  );
  const latest = same.at(-1);
  return events.filter(one => one === latest || !same.includes(one));
}

function stepped(event: JobEvent): Pick<Job, 'number' | 'steps' | 'step'> {
  const { number, total, title } = event.data as { number: number; total: number; title: string };
  return { number, steps: total, step: title };
}
