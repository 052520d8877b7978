import type { IDisposable } from '@lumino/disposable';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import { problemsHere } from './deployProblems';
import type { DeployValues } from './deployValues';
import { empty, filled, requestOf, valuesOf } from './deployValues';
import type {
  DeployRequest,
  FieldProblem,
  Job,
  KernelReport,
  NotebookContextView,
  Table
} from './generated';
import { type Checked, installs } from './kernel';
import { asProblem, problem, ProblemError } from './request';

/** How the notebook's kernel is; what it says of `busy` is which cells it waits for. */
export type KernelState =
  | { kind: 'none' | 'starting' | 'idle' | 'dead' }
  | { kind: 'busy'; words: string }
  | { kind: 'other'; language: string };

/** What the dialog needs of the notebook, its kernel and the server. */
export interface DeployWorld {
  readonly kernel: () => KernelState;
  readonly kernelChanged: ISignal<unknown, void>;
  /** Whether the kernel answers now what is only looked at; else it does once its cells have run. */
  readonly answers: () => boolean;
  readonly found: () => Promise<KernelReport>;
  readonly beside: (found: KernelReport) => Promise<NotebookContextView>;
  readonly preview: (expression: string) => Promise<Table>;
  readonly check: (request: DeployRequest) => Promise<Checked>;
  /** Saves the notebook where that is needed, makes the job, and has the kernel capture for it. */
  readonly submit: (request: DeployRequest) => Promise<Job>;
}

/** Why something could not be asked, in words; `insert` is a cell that mends it, `logIn` whether a log-in does. */
export interface Trouble {
  message: string;
  remedy: string;
  insert?: string | undefined;
  logIn?: boolean;
}

export interface DeployState {
  kernel: KernelState;
  found: KernelReport | null;
  beside: NotebookContextView | null;
  /** Why there are no fields to fill. */
  trouble: Trouble | null;
  values: DeployValues;
  roleChosen: boolean;
  preview: Table | null | undefined;
  /** What the kernel and the server say of the fields. */
  told: readonly FieldProblem[];
  checking: boolean;
  submitting: boolean;
  /** Why it was not accepted, as far as it is no field's. */
  refused: Trouble | null;
}

/** Fields that the kernel evaluates. */
const EXPRESSIONS = ['example', 'signature', 'training'] as const;

/** Typing that pauses for so long is looked at. */
export const PAUSE_MS = 350;

/** What a check looks for in the background is asked for so much later. */
export const LATER_MS = 1000;

/** The dialog's fields, and what is known of them. */
export class DeployModel implements IDisposable {
  /** `given`: what was typed before, or a request to be tried again. */
  constructor(world: DeployWorld, given: DeployValues | DeployRequest | null = null) {
    this._world = world;
    this._given = given;
    this._state = {
      kernel: world.kernel(),
      found: null,
      beside: null,
      trouble: null,
      values: empty,
      roleChosen: false,
      preview: undefined,
      told: [],
      checking: false,
      submitting: false,
      refused: null
    };
    world.kernelChanged.connect(this._onKernel, this);
  }

  get state(): DeployState {
    return this._state;
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    this._isDisposed = true;
    clearTimeout(this._timer);
    this._world.kernelChanged.disconnect(this._onKernel, this);
    Signal.clearData(this);
  }

  /** Asks the kernel for its models, where it can be asked. */
  async look(): Promise<void> {
    const { kind } = this._world.kernel();
    if (kind !== 'idle' && kind !== 'busy') return;
    const turn = ++this._looks;
    this._set({ trouble: null });
    try {
      const found = await this._world.found();
      if (found.problem !== '') {
        throw problem({ code: 'kernel_failed', title: found.problem, remedy: found.remedy });
      }
      const beside = this._state.beside ?? (await this._world.beside(found));
      if (turn !== this._looks) return;
      const isFirst = this._state.found === null;
      this._set({ found, beside });
      if (isFirst) this._fill(found, beside);
      this._look();
    } catch (error) {
      if (turn === this._looks) this._set({ trouble: troubleOf(error) });
    }
  }

  /** Other values; what is typed is looked at when the typing pauses. */
  change(values: DeployValues, { roleChosen = this._state.roleChosen } = {}): void {
    const before = this._state.values;
    const changed = (Object.keys(values) as (keyof DeployValues)[]).filter(
      field => values[field] !== before[field]
    );
    this._set({
      values,
      roleChosen,
      refused: null,
      told: this._state.told.filter(problem => !changed.some(field => isOf(problem, field)))
    });
    clearTimeout(this._timer);
    this._timer = setTimeout(() => {
      void this._check();
    }, PAUSE_MS);
    // What is chosen is complete; what is typed is evaluated when the user has left it.
    if (changed.includes('model') && changed.includes('example')) this._look();
  }

  /** The expressions are complete: they may be evaluated. */
  commit(): void {
    const { example, signature, training } = this._state.values;
    const same = EXPRESSIONS.every(field => this._committed[field] === this._state.values[field]);
    if (same) return;
    const another = this._committed.example !== example;
    this._committed = { example, signature, training };
    if (another) void this._preview();
    void this._check();
  }

  /** Deploys what stands in the fields; the job, or null where something is to be mended first. */
  async submit(): Promise<Job | null> {
    const { beside, submitting } = this._state;
    if (!beside || submitting) return null;
    this._set({ submitting: true, refused: null });
    try {
      const { example, signature, training } = this._state.values;
      this._committed = { example, signature, training };
      await this._check();
      const wrong = problemsHere(this._state);
      if (wrong.length) return null;
      return await this._world.submit(requestOf(this._state.values, beside));
    } catch (error) {
      this._refuse(error);
      return null;
    } finally {
      this._set({ submitting: false });
    }
  }

  private _fill(found: KernelReport, beside: NotebookContextView): void {
    const given = this._given;
    if (given === null) this._set({ values: filled(found, beside) });
    else if ('notebooks' in given) this._set({ values: given, roleChosen: true });
    else this._set({ values: valuesOf(given, beside), roleChosen: true });
  }

  /** Looks at everything anew. */
  private _look(): void {
    const { example, signature, training } = this._state.values;
    this._committed = { example, signature, training };
    void this._preview();
    void this._check();
  }

  private async _preview(): Promise<void> {
    const expression = this._state.values.example.trim();
    const turn = ++this._previews;
    this._set({ preview: expression ? null : undefined });
    if (!expression) return;
    try {
      const preview = await this._world.preview(expression);
      if (turn === this._previews) this._set({ preview });
    } catch {
      // What keeps the kernel from answering is said of the whole dialog.
      if (turn === this._previews) this._set({ preview: undefined });
    }
  }

  private async _check(): Promise<void> {
    clearTimeout(this._timer);
    const { beside, found, values } = this._state;
    // Of a kernel that only answers after its cells: it is looked at then, and a deploy waits for none of it.
    if (!beside || !found || !this._world.answers()) return;
    const turn = ++this._checks;
    // What is being typed is not evaluated: it may be half an expression that does something else.
    const complete = { ...values };
    for (const field of EXPRESSIONS) {
      if (this._committed[field] !== values[field]) {
        complete[field] = '';
      }
    }
    const request = requestOf(complete, beside);
    this._set({ checking: true });
    try {
      const { problems, complete } = await this._world.check(request);
      if (turn !== this._checks) {
        return;
      }
      this._set({ told: problems });
      if (!complete && !this._isDisposed) {
        this._timer = setTimeout(() => {
          void this._check();
        }, LATER_MS);
      }
    } catch {
      // The deploy itself says what is wrong.
    } finally {
      if (turn === this._checks) this._set({ checking: false });
    }
  }

  private _refuse(error: unknown): void {
    const errors = error instanceof ProblemError ? error.errors : [];
    const fields = errors.map((one): FieldProblem => {
      const loc = one.loc.map(String);
      return {
        field: (loc[0] === 'body' ? loc.slice(1) : loc).join('.'),
        message: one.msg,
        remedy: '',
        finding: null
      };
    });
    if (fields.length) this._set({ told: [...this._state.told, ...fields] });
    else this._set({ refused: troubleOf(error) });
  }

  private _onKernel(): void {
    const before = this._state.kernel.kind;
    const kernel = this._world.kernel();
    this._set({ kernel });
    // What the dialog itself asks changes the kernel's status too, but not how it is. After a restart, and when the
    // cells that ran are done, there are other variables.
    if (kernel.kind === before) {
      return;
    }
    if (kernel.kind === 'idle' || (kernel.kind === 'busy' && before !== 'idle')) {
      void this.look();
    }
  }

  private _set(some: Partial<DeployState>): void {
    if (this._isDisposed) return;
    this._state = { ...this._state, ...some };
    this._changed.emit();
  }

  private readonly _world: DeployWorld;
  private readonly _given: DeployValues | DeployRequest | null;
  private readonly _changed = new Signal<this, void>(this);
  private _state: DeployState;
  private _committed = { example: '', signature: '', training: '' };
  private _timer: ReturnType<typeof setTimeout> | undefined;
  private _looks = 0;
  private _previews = 0;
  private _checks = 0;
  private _isDisposed = false;
}

/** Whether a problem is of a field, or of one of its parts. */
export function isOf(problem: FieldProblem, field: string): boolean {
  return problem.field === field || problem.field.startsWith(`${field}.`);
}

export function troubleOf(error: unknown): Trouble {
  const { code, message, remedy } = asProblem(error);
  const mends = code === 'no_nbdeploy' || code === 'other_version';
  const insert = mends ? installs() : undefined;
  return { message, remedy, insert, logIn: code === 'not_signed_in' };
}
