/**
 * A pending change of one endpoint: proposed, previewed, confirmed, applied or failed. One at a
 * time.
 */
import { type ISignal, Signal } from '@lumino/signaling';

import type {
  EndpointView,
  Job,
  Preview,
  RevisionRow,
  RoleChange,
  RoleEvidence
} from './generated';
import { type Problem, problemOf, problemOfJob } from './transport/problem';
import { ProblemError } from './transport/request';

export type ChangeVerb = 'traffic' | 'promote' | 'rollback' | 'stop' | 'delete';

/** The fields of a change request without the endpoint's name: `{shadow: {"clf:abc": 50}}`. */
export type ChangeFields = Readonly<Record<string, unknown>>;

export type Phase = 'loading' | 'preview' | 'working' | 'failed' | 'conflict';

/** A change that is not in force yet. `given` is kept until it is in force or given up. */
export interface Pending {
  readonly number: number;
  readonly verb: ChangeVerb;
  readonly fields: ChangeFields;
  readonly revision: number;
  /** The user is asked in a dialog; false: a change of shadow copies, which is applied at once. */
  readonly asks: boolean;
  readonly phase: Phase;
  readonly title: string;
  readonly rows: readonly RoleChange[];
  readonly notes: readonly string[];
  readonly evidence: readonly RoleEvidence[];
  readonly step: string;
  readonly problem: Problem | null;
  readonly newer: readonly RevisionRow[];
}

/** The server as the changes of an endpoint use it. */
export interface ChangeWorld {
  preview(verb: ChangeVerb, fields: ChangeFields, revision: number): Promise<Preview>;
  /** Starts the job of a change and waits for its end; calls `step` with the title of each step. */
  run(
    verb: ChangeVerb,
    fields: ChangeFields,
    revision: number,
    step: (title: string) => void
  ): Promise<Job>;
  /** The present endpoint; with a revision, a known view of that revision or a later one. */
  fetchEndpoint(revision?: number): Promise<EndpointView>;
}

/**
 * Whether a change affects shadow copies only: clients are not affected, so it needs no preview.
 */
export function onlyCopies(verb: ChangeVerb, fields: ChangeFields, view: EndpointView): boolean {
  if (verb !== 'traffic' || !view.running) return false;
  const { shadow, ...rest } = fields;
  if (Object.keys(rest).length > 0 || typeof shadow !== 'object' || shadow === null) return false;
  return Object.keys(shadow).every(tag =>
    view.cards.some(card => card.tag === tag && (card.role === 'shadow' || card.role === 'idle'))
  );
}

/** The revision that a change led to; undefined: its result names none. */
function revisionOf(job: Job): number | undefined {
  const { revision } = (job.result ?? {}) as { revision?: unknown };
  return typeof revision === 'number' ? revision : undefined;
}

function withPreview(pending: Pending, preview: Preview): Pending {
  const { title, rows, notes, evidence } = preview;
  return { ...pending, title, rows, notes, evidence };
}

/** Previews, confirms and applies changes, each with the revision that the user saw. */
export class Changes {
  constructor(private readonly world: ChangeWorld) {}

  /** Emitted when the pending change is updated. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Emitted with a text for screen readers. */
  get announced(): ISignal<this, string> {
    return this._announced;
  }

  get pending(): Pending | null {
    return this._pending;
  }

  /**
   * Previews a change; changes of shadow copies are applied at once. A change in progress delays
   * the next one.
   */
  async propose(verb: ChangeVerb, fields: ChangeFields, view: EndpointView): Promise<void> {
    if (this._pending?.phase === 'working') {
      this._next = { verb, fields };
      return;
    }
    const asks = !onlyCopies(verb, fields, view);
    const pending = this.pendingOf(verb, fields, view.revision, asks);
    if (!asks) {
      await this.run(pending);
      return;
    }
    this.set(pending);
    try {
      const preview = await this.world.preview(verb, fields, view.revision);
      if (this._pending !== pending) return; // discarded or proposed again in the meantime
      const shown = withPreview(pending, preview);
      // A rollback has a choice of revisions.
      if (preview.asks || verb === 'rollback') this.set({ ...shown, phase: 'preview' });
      else await this.run(shown);
    } catch (error) {
      if (this._pending === pending) await this.fail(pending, error);
    }
  }

  /** Applies the change in the preview. */
  async confirm(reason: string): Promise<void> {
    const pending = this._pending;
    if (pending?.phase !== 'preview') return;
    const confirmed = pending.verb === 'delete' ? { yes: true } : {};
    await this.run(pending, reason ? { ...confirmed, reason } : confirmed);
  }

  /** Applies a change that gates refused; the reason is stored. */
  async force(reason: string): Promise<void> {
    const pending = this._pending;
    if (pending?.problem?.gates && reason.trim()) await this.run(pending, { reason, force: true });
  }

  /** Previews the same change on the present endpoint. */
  async previewAgain(): Promise<void> {
    let pending = this._pending;
    if (!pending || pending.phase === 'working') return;
    try {
      const view = await this.world.fetchEndpoint();
      if (this._pending !== pending) return; // discarded or proposed again in the meantime
      pending = this.pendingOf(pending.verb, pending.fields, view.revision, true);
      this.set(pending);
      const preview = await this.world.preview(pending.verb, pending.fields, view.revision);
      // After a conflict the user confirms again, also if clients notice nothing.
      if (this._pending === pending)
        this.set({ ...withPreview(pending, preview), phase: 'preview' });
    } catch (error) {
      if (this._pending === pending) await this.fail(pending, error);
    }
  }

  /** Discards the pending change; a change in progress continues. */
  dismiss(): void {
    if (this._pending && this._pending.phase !== 'working') {
      this.set(null);
      this._announced.emit('dismissed');
    }
  }

  /** Reports a conflict if the endpoint is newer than the preview. */
  checkRevision(view: EndpointView): void {
    const pending = this._pending;
    // An older view is the answer to a request that began before the newer one was saved.
    if (pending?.phase === 'preview' && view.revision > pending.revision)
      this.conflict(pending, view);
  }

  private pendingOf(
    verb: ChangeVerb,
    fields: ChangeFields,
    revision: number,
    asks: boolean
  ): Pending {
    this._numbers += 1;
    return {
      number: this._numbers,
      verb,
      fields,
      revision,
      asks,
      phase: 'loading',
      title: '',
      rows: [],
      notes: [],
      evidence: [],
      step: '',
      problem: null,
      newer: []
    };
  }

  private async run(pending: Pending, more: ChangeFields = {}): Promise<void> {
    const working: Pending = { ...pending, phase: 'working', problem: null, newer: [] };
    this._next = null;
    this.set(working);
    try {
      const job = await this.world.run(
        pending.verb,
        { ...pending.fields, ...more },
        pending.revision,
        step => {
          if (this._pending?.number === working.number) this.set({ ...this._pending, step });
        }
      );
      if (job.state !== 'done') {
        if (job.problem?.code === 'conflict')
          this.conflict(pending, await this.world.fetchEndpoint());
        else this.set({ ...pending, phase: 'failed', problem: problemOfJob(job) });
        return;
      }
      if (pending.verb === 'delete') {
        this.set(null); // there is no endpoint to fetch any more
        this._announced.emit('deleted');
        return;
      }
      const view = await this.world.fetchEndpoint(revisionOf(job));
      this.set(null);
      this._announced.emit('done');
      await this.runNext(view);
    } catch (error) {
      await this.fail(pending, error);
    }
  }

  /** Proposes the change that was delayed. */
  private async runNext(view: EndpointView): Promise<void> {
    const next = this._next;
    this._next = null;
    if (next) await this.propose(next.verb, next.fields, view);
  }

  private async fail(pending: Pending, error: unknown): Promise<void> {
    this._next = null; // the delayed change no longer fits
    if (error instanceof ProblemError && error.status === 412) {
      try {
        this.conflict(pending, await this.world.fetchEndpoint());
        return;
      } catch (gone) {
        error = gone;
      }
    }
    this.set({ ...pending, phase: 'failed', problem: problemOf(error) });
  }

  private conflict(pending: Pending, view: EndpointView): void {
    this._next = null;
    const newer = view.history.filter(row => row.revision > pending.revision);
    this.set({ ...pending, phase: 'conflict', newer });
  }

  private set(pending: Pending | null): void {
    this._pending = pending;
    this._changed.emit();
  }

  private _pending: Pending | null = null;
  private _next: { verb: ChangeVerb; fields: ChangeFields } | null = null;
  private _numbers = 0;
  private readonly _changed = new Signal<this, void>(this);
  private readonly _announced = new Signal<this, string>(this);
}
