import type { IDisposable } from '@lumino/disposable';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import type {
  DeployRequest,
  FieldProblem,
  Job,
  KernelReport,
  NotebookContextView,
  SettingsFile,
  Table
} from '../generated';
import { type Problem, problemOf } from '../transport/problem';
import { ProblemError, problemError } from '../transport/request';
import { openProblems } from './deployProblems';
import type { DeployValues } from './deployValues';
import { emptyValues, initialValues, requestOf, valuesOf } from './deployValues';
import type { CheckResult } from './kernel';

/** The state of the notebook's kernel; `busy` says which cells it waits for. */
export type KernelState =
  | { kind: 'none' | 'starting' | 'idle' | 'dead' }
  | { kind: 'busy'; words: string }
  | { kind: 'other'; language: string };

/** The notebook, its kernel and the server as the deploy dialog uses them. */
export interface DeployWorld {
  readonly kernel: () => KernelState;
  readonly kernelChanged: ISignal<unknown, void>;
  /** Whether the kernel answers queries now; if not, it answers after its cells. */
  readonly canAnswer: () => boolean;
  readonly report: () => Promise<KernelReport>;
  /** What is around the notebook; does not wait for the report if the server knows the notebook's path. */
  readonly context: (report: KernelReport | Promise<KernelReport>) => Promise<NotebookContextView>;
  readonly preview: (expression: string) => Promise<Table>;
  /** Writes a first validation notebook for a model next to the notebook. */
  readonly writeValidation: (
    values: Pick<DeployValues, 'name' | 'model' | 'example'>,
    report: KernelReport
  ) => Promise<void>;
  /** The user agrees that jobs use the settings of the notebook's folder. */
  readonly agree: (file: SettingsFile) => Promise<void>;
  readonly check: (request: DeployRequest) => Promise<CheckResult>;
  /** Saves the notebook if needed, creates the job, and starts the capture in the kernel. */
  readonly submit: (request: DeployRequest) => Promise<Job>;
}

export interface DeployState {
  kernel: KernelState;
  report: KernelReport | null;
  context: NotebookContextView | null;
  /** The reason why there are no fields. */
  problem: Problem | null;
  values: DeployValues;
  roleChosen: boolean;
  preview: Table | null | undefined;
  /** The problems of the fields, from the kernel and the server. */
  fieldProblems: readonly FieldProblem[];
  checking: boolean;
  submitting: boolean;
  /** A validation notebook is being written. */
  writing: boolean;
  /** The reason for a refusal that belongs to no field. */
  refusal: Problem | null;
}

/** Fields that the kernel evaluates. */
const EXPRESSIONS = ['example', 'signature', 'training'] as const;

/** A pause in typing of this length starts a check. */
export const PAUSE_MS = 350;

/** The delay before an incomplete check is repeated. */
export const LATER_MS = 1000;

/** The fields of the deploy dialog, their problems, and the submission. */
export class DeployModel implements IDisposable {
  /** `initial`: a draft, or a request to try again. */
  constructor(world: DeployWorld, initial: DeployValues | DeployRequest | null = null) {
    this._world = world;
    this._initial = initial;
    this._state = {
      kernel: world.kernel(),
      report: null,
      context: null,
      problem: null,
      values: emptyValues,
      roleChosen: false,
      preview: undefined,
      fieldProblems: [],
      checking: false,
      submitting: false,
      writing: false,
      refusal: null
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

  /** Loads the models of the kernel, if it can answer. */
  async loadModels(): Promise<void> {
    const { kind } = this._world.kernel();
    if (kind !== 'idle' && kind !== 'busy') return;
    const turn = ++this._loads;
    this._set({ problem: null });
    try {
      const { report, context } = await this._look();
      if (turn !== this._loads) return;
      const isFirst = this._state.report === null;
      this._set({ report, context });
      if (isFirst) this._fill(report, context);
      this._checkAll();
    } catch (error) {
      if (turn === this._loads) this._set({ problem: problemOf(error) });
    }
  }

  /** Sets the values; checks them when the typing pauses. */
  change(values: DeployValues, { roleChosen = this._state.roleChosen } = {}): void {
    const before = this._state.values;
    const changed = (Object.keys(values) as (keyof DeployValues)[]).filter(
      field => values[field] !== before[field]
    );
    this._set({
      values,
      roleChosen,
      refusal: null,
      fieldProblems: this._state.fieldProblems.filter(
        problem => !changed.some(field => belongsTo(problem, field))
      )
    });
    clearTimeout(this._timer);
    this._timer = setTimeout(() => {
      void this._check();
    }, PAUSE_MS);
    // A choice is complete; typed text is evaluated when the user leaves the field.
    if (changed.includes('model') && changed.includes('example')) this._checkAll();
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

  /** Writes a validation notebook, and shows its gates; the reason for a failure is the refusal. */
  async writeValidation(): Promise<void> {
    const { report, values, writing } = this._state;
    if (!report || writing) return;
    this._set({ writing: true, refusal: null });
    try {
      await this._world.writeValidation(values, report);
      const context = await this._world.context(report);
      this._set({ context });
      this._checkAll();
    } catch (error) {
      this._set({ refusal: problemOf(error) });
    } finally {
      this._set({ writing: false });
    }
  }

  /** Agrees to the settings of the folder, which then apply to the fields' defaults. */
  async agree(file: SettingsFile): Promise<void> {
    await this._world.agree(file);
    const { report } = this._state;
    if (report) this._set({ context: await this._world.context(report) });
  }

  /** Deploys the model of the fields; the job, or null if a field has a problem. */
  async submit(): Promise<Job | null> {
    const { context, submitting } = this._state;
    if (!context || submitting) return null;
    this._set({ submitting: true, refusal: null });
    try {
      const { example, signature, training } = this._state.values;
      this._committed = { example, signature, training };
      await this._check();
      const wrong = openProblems(this._state);
      if (wrong.length) return null;
      return await this._world.submit(requestOf(this._state.values, context));
    } catch (error) {
      this._refuse(error);
      return null;
    } finally {
      this._set({ submitting: false });
    }
  }

  /** Asks kernel and server at once, except if the kernel answers only after its cells. */
  private async _look(): Promise<{ report: KernelReport; context: NotebookContextView }> {
    const asked = this._world.report();
    const isFirst = this._state.context === null;
    const early = isFirst && this._world.canAnswer() ? this._world.context(asked) : null;
    early?.catch(() => undefined); // a problem of the kernel is shown first
    const report = await asked;
    if (report.problem !== '') {
      throw problemError({ code: 'kernel_failed', title: report.problem, remedy: report.remedy });
    }
    const context = this._state.context ?? (await (early ?? this._world.context(report)));
    return { report, context };
  }

  private _fill(report: KernelReport, context: NotebookContextView): void {
    const initial = this._initial;
    if (initial === null) this._set({ values: initialValues(report, context) });
    else if ('notebooks' in initial) this._set({ values: initial, roleChosen: true });
    else this._set({ values: valuesOf(initial, context), roleChosen: true });
  }

  /** Previews the example and checks all fields. */
  private _checkAll(): void {
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
      // If the kernel cannot answer, the problem belongs to the whole dialog.
      if (turn === this._previews) this._set({ preview: undefined });
    }
  }

  private async _check(): Promise<void> {
    clearTimeout(this._timer);
    const { context, report, values } = this._state;
    // A kernel that only answers after its cells: it checks then, and a deploy does not wait for
    // that check.
    if (!context || !report || !this._world.canAnswer()) return;
    const turn = ++this._checks;
    // Text that is still being typed is not evaluated: half an expression may have side effects.
    const complete = { ...values };
    const typing = EXPRESSIONS.filter(field => this._committed[field] !== values[field]);
    for (const field of typing) {
      complete[field] = '';
    }
    const request = requestOf(complete, context);
    this._set({ checking: true });
    try {
      const { problems, complete } = await this._world.check(request);
      if (turn !== this._checks) {
        return;
      }
      // The kernel saw no text in these fields, so its problems are not those of the text.
      const known = problems.filter(one => !typing.some(field => belongsTo(one, field)));
      this._set({ fieldProblems: known });
      if (!complete && !this._isDisposed) {
        this._timer = setTimeout(() => {
          void this._check();
        }, LATER_MS);
      }
    } catch {
      // The deploy itself reports the problem.
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
    if (fields.length) this._set({ fieldProblems: [...this._state.fieldProblems, ...fields] });
    else this._set({ refusal: problemOf(error) });
  }

  private _onKernel(): void {
    const before = this._state.kernel.kind;
    const kernel = this._world.kernel();
    this._set({ kernel });
    // The dialog's own queries change the kernel's status, but not its state. After a restart, and
    // after the end of the running cells, there are other variables.
    if (kernel.kind === before) {
      return;
    }
    if (kernel.kind === 'idle' || (kernel.kind === 'busy' && before !== 'idle')) {
      void this.loadModels();
    }
  }

  private _set(some: Partial<DeployState>): void {
    if (this._isDisposed) return;
    this._state = { ...this._state, ...some };
    this._changed.emit();
  }

  private readonly _world: DeployWorld;
  private readonly _initial: DeployValues | DeployRequest | null;
  private readonly _changed = new Signal<this, void>(this);
  private _state: DeployState;
  private _committed = { example: '', signature: '', training: '' };
  private _timer: ReturnType<typeof setTimeout> | undefined;
  private _loads = 0;
  private _previews = 0;
  private _checks = 0;
  private _isDisposed = false;
}

/** Whether a problem belongs to a field, or to one of its parts. */
export function belongsTo(problem: FieldProblem, field: string): boolean {
  return problem.field === field || problem.field.startsWith(`${field}.`);
}
