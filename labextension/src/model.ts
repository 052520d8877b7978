import { DisposableDelegate, type IDisposable } from '@lumino/disposable';
import { Poll } from '@lumino/polling';
import { type ISignal, Signal } from '@lumino/signaling';

import type { EndpointRow, EndpointsView } from './generated';
import { type ProblemError, requestAPI, toProblemError } from './transport/request';
import type { EventStream } from './transport/stream';
import type { Transport } from './transport/transport';

/**
 * The interval of requests for health and request rates, which change without an event, while a
 * view is visible.
 */
const LOOK_MS = 2_000;

const NONE: readonly EndpointRow[] = [];

/** The section of the opened endpoint. */
export const SECTIONS = [
  'releases',
  'comparison',
  'monitor',
  'live',
  'records',
  'logs',
  'try',
  'history'
] as const;

export type Section = (typeof SECTIONS)[number];

/** The endpoints, and the opened one. If the server cannot be reached, the last view stays. */
export class DeploymentsModel implements IDisposable {
  constructor(
    private readonly stream: EventStream,
    private readonly transport: Transport
  ) {
    stream.endpoints.connect(this._onRevisions, this);
    stream.connected.connect(this._onConnected, this);
    this._poll = new Poll({
      auto: false,
      factory: async () => this.refresh(),
      frequency: { interval: LOOK_MS, backoff: true, max: 30_000 },
      standby: () => (this._watchers === 0 ? true : 'when-hidden'),
      name: 'nbdeploy:endpoints'
    });
  }

  /** Emitted at each change. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Null: not known yet. */
  get view(): EndpointsView | null {
    return this._view;
  }

  get endpoints(): readonly EndpointRow[] {
    return this._view?.endpoints ?? NONE;
  }

  /** The name of the opened endpoint. */
  get opened(): string | null {
    return this._opened;
  }

  get section(): Section {
    return this._section;
  }

  /** The reason why the last request failed; null: it succeeded. */
  get problem(): ProblemError | null {
    return this._problem;
  }

  get isConnected(): boolean {
    return this.stream.isConnected;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** Update until the returned object is disposed: for a widget while it is visible. */
  attend(): IDisposable {
    this._watchers += 1;
    this.stream.start();
    void this._poll.start();
    void this._poll.refresh();
    return new DisposableDelegate(() => {
      this._watchers -= 1;
    });
  }

  /** How often a user has opened something: its view gets the focus each time. */
  get openings(): number {
    return this._openings;
  }

  open(name: string | null, section: Section = 'releases'): void {
    this._openings += 1;
    this._show(name, section);
  }

  /** Show what was open before a reload; the focus stays where it is. */
  restore(name: string, section?: Section): void {
    this._show(name, section);
  }

  /** Request the list. The latest request counts; the answer of an earlier one is ignored. */
  async refresh(): Promise<void> {
    this._looking?.abort();
    const looking = new AbortController();
    this._looking = looking;
    const { signal } = looking;
    try {
      const { value } = await requestAPI<EndpointsView>(this.transport, 'views/endpoints', {
        signal
      });
      if (signal.aborted) {
        return;
      }
      this._view = value;
      this._problem = null;
    } catch (error) {
      if (signal.aborted) {
        return;
      }
      this._problem = toProblemError(error);
    }
    this._changed.emit();
  }

  dispose(): void {
    this._isDisposed = true;
    this._poll.dispose();
    this._looking?.abort();
    Signal.clearData(this);
  }

  private _show(name: string | null, section: Section = 'releases'): void {
    const back = name === null && this._opened !== null;
    this._opened = name;
    this._section = section;
    this._changed.emit();
    if (back && this._watchers > 0) {
      void this.refresh();
    }
  }

  private _onRevisions(_: EventStream, revisions: Record<string, number>): void {
    const known = new Map(this.endpoints.map(row => [row.name, row.revision]));
    const names = Object.keys(revisions);
    // While an endpoint is open, the list is not visible: the next regular request is early enough,
    // and delays no change.
    if (this._view !== null && this._opened !== null && this._watchers > 0) {
      return;
    }
    if (
      this._view === null ||
      names.length !== known.size ||
      names.some(name => known.get(name) !== revisions[name])
    ) {
      void this.refresh();
    }
  }

  private _onConnected(): void {
    this._changed.emit();
  }

  private _view: EndpointsView | null = null;
  private _opened: string | null = null;
  private _openings = 0;
  private _section: Section = 'releases';
  private _problem: ProblemError | null = null;
  private _watchers = 0;
  private _isDisposed = false;
  private _looking: AbortController | null = null;
  private readonly _poll: Poll;
  private readonly _changed = new Signal<this, void>(this);
}
