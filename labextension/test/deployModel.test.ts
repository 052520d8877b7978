import { PromiseDelegate } from '@lumino/coreutils';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { DeployModel, LATER_MS, PAUSE_MS } from '../src/deploy/deployModel';
import { blockingReason, openProblems } from '../src/deploy/deployProblems';
import type { CheckResult } from '../src/deploy/kernel';
import type { KernelReport } from '../src/generated';
import { problemError } from '../src/transport/request';
import { context, model, problemIn, report, trans, World } from './made/deploying';

const opened: DeployModel[] = [];

async function open(world: World, given: ConstructorParameters<typeof DeployModel>[1] = null) {
  const dialog = new DeployModel(world, given);
  opened.push(dialog);
  await dialog.loadModels();
  await vi.advanceTimersByTimeAsync(PAUSE_MS);
  return dialog;
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  opened.splice(0).forEach(one => {
    one.dispose();
  });
  vi.useRealTimers();
});

describe('loading', () => {
  it('fills the fields, shows the example, and checks them', async () => {
    const world = new World();
    const dialog = await open(world);
    expect(dialog.state.values.model).toBe('clf');
    expect(dialog.state.preview?.words).toBe('1 row, 2 columns');
    expect(world.checked.at(-1)).toMatchObject({ model: 'clf', example: 'X_test[:5]' });
    expect(blockingReason(dialog.state, trans)).toBe('');
  });

  it('asks kernel and server at once', async () => {
    const world = new World();
    const kernel = new PromiseDelegate<KernelReport>();
    vi.spyOn(world, 'report').mockReturnValue(kernel.promise);
    const asked = vi.spyOn(world, 'context');
    const opening = open(world);
    expect(asked).toHaveBeenCalledTimes(1);
    kernel.resolve(report(model('clf')));
    const dialog = await opening;
    expect(dialog.state.context).toEqual(context());
    expect(asked).toHaveBeenCalledTimes(1);
  });

  it('asks the server after the cells if the kernel answers only then', async () => {
    const world = new World();
    world.state = { kind: 'busy', words: 'a cell runs' };
    world.hasSubshells = false;
    const kernel = new PromiseDelegate<KernelReport>();
    vi.spyOn(world, 'report').mockReturnValue(kernel.promise);
    const asked = vi.spyOn(world, 'context');
    const opening = open(world);
    expect(asked).not.toHaveBeenCalled();
    kernel.resolve(report(model('clf')));
    await opening;
    expect(asked).toHaveBeenCalledTimes(1);
  });

  it("shows the kernel's problem, also if the server has another one", async () => {
    const world = new World();
    world.cannotLook = problemError({ code: 'kernel_dead', title: 'The kernel has died.' });
    vi.spyOn(world, 'context').mockRejectedValue(new Error('gone'));
    const dialog = await open(world);
    expect(dialog.state.problem?.message).toBe('The kernel has died.');
  });

  it('waits for a kernel that starts', async () => {
    const world = new World();
    world.state = { kind: 'starting' };
    const dialog = await open(world);
    expect(dialog.state.report).toBeNull();
    world.becomes({ kind: 'idle' });
    await vi.advanceTimersByTimeAsync(0);
    expect(dialog.state.report?.models).toHaveLength(1);
  });

  it('queries again after cells ran, and not after its own queries', async () => {
    const world = new World();
    world.state = { kind: 'busy', words: 'a cell runs' };
    const dialog = await open(world);
    const loadModels = vi.spyOn(world, 'report');
    world.becomes({ kind: 'busy', words: 'a cell runs' });
    expect(loadModels).not.toHaveBeenCalled();
    world.models = [model('clf'), model('net')];
    world.becomes({ kind: 'idle' });
    await vi.advanceTimersByTimeAsync(0);
    expect(dialog.state.report?.models).toHaveLength(2);
    world.becomes({ kind: 'idle' });
    expect(loadModels).toHaveBeenCalledTimes(1);
  });

  it('keeps the typed values when the kernel is restarted', async () => {
    const world = new World();
    const dialog = await open(world);
    dialog.change({ ...dialog.state.values, name: 'mine' });
    world.models = [];
    world.becomes({ kind: 'starting' });
    world.becomes({ kind: 'idle' });
    await vi.advanceTimersByTimeAsync(0);
    expect(dialog.state.report?.models).toHaveLength(0);
    expect(dialog.state.values.name).toBe('mine');
  });

  it('shows why a kernel cannot answer, with the cell that solves it', async () => {
    const world = new World();
    world.cannotLook = problemError({
      code: 'no_nbdeploy',
      title: "The kernel's environment has no nbdeploy.",
      remedy: 'Run in a cell: %pip install nbdeploy'
    });
    const dialog = await open(world);
    expect(dialog.state.problem?.message).toContain('no nbdeploy');
    expect(dialog.state.problem?.cell).toContain('%pip install nbdeploy==');
    world.cannotLook = null;
    await dialog.loadModels();
    expect(dialog.state.problem).toBeNull();
  });
});

it('a kernel without models gives the reason', async () => {
  const world = new World();
  vi.spyOn(world, 'report').mockResolvedValue({
    ...report(model('clf')),
    problem: 'a setting is wrong',
    remedy: 'mend it'
  });
  const dialog = await open(world);
  expect(dialog.state.problem).toMatchObject({ message: 'a setting is wrong', remedy: 'mend it' });
  expect(blockingReason(dialog.state, trans)).not.toBe('');
});

describe('typing', () => {
  it('is checked when it pauses, and its old problem goes at once', async () => {
    const world = new World();
    world.problems = [problemIn('name', 'has a capital')];
    const dialog = await open(world);
    expect(openProblems(dialog.state).map(one => one.field)).toEqual(['name']);
    const before = world.checked.length;
    dialog.change({ ...dialog.state.values, name: 'c' });
    dialog.change({ ...dialog.state.values, name: 'ch' });
    expect(openProblems(dialog.state)).toEqual([]);
    world.problems = [];
    await vi.advanceTimersByTimeAsync(PAUSE_MS);
    expect(world.checked.slice(before).map(one => one.name)).toEqual(['ch']);
  });

  it('evaluates no half expression', async () => {
    const world = new World();
    const dialog = await open(world);
    dialog.change({ ...dialog.state.values, example: 'frame.pop(' });
    await vi.advanceTimersByTimeAsync(PAUSE_MS);
    expect(world.checked.at(-1)).not.toHaveProperty('example');
    expect(world.previewed).toEqual(['X_test[:5]']);
    dialog.change({ ...dialog.state.values, example: 'frame.head()' });
    dialog.commit();
    await vi.advanceTimersByTimeAsync(PAUSE_MS);
    expect(world.checked.at(-1)).toHaveProperty('example', 'frame.head()');
    expect(world.previewed.at(-1)).toBe('frame.head()');
  });

  it('has no problem of an expression that was not evaluated yet', async () => {
    const world = new World();
    const dialog = await open(world);
    world.problems = [problemIn('example', 'there is no example'), problemIn('name', 'is taken')];
    dialog.change({ ...dialog.state.values, example: 'frame.head()' });
    await vi.advanceTimersByTimeAsync(PAUSE_MS);
    expect(openProblems(dialog.state).map(one => one.field)).toEqual(['name']);
  });

  it('an incomplete check is repeated', async () => {
    const world = new World();
    world.complete = false;
    const dialog = await open(world);
    world.complete = true;
    const stale = { check: 'stale-kernel', severity: 'warning', message: 'stale', cell: 2 };
    world.problems = [problemIn('', 'stale', stale)];
    await vi.advanceTimersByTimeAsync(LATER_MS);
    expect(dialog.state.fieldProblems).toEqual(world.problems);
    const asked = world.checked.length;
    await vi.advanceTimersByTimeAsync(10 * LATER_MS);
    expect(world.checked).toHaveLength(asked);
  });

  it('an answer that came too late is not shown', async () => {
    const world = new World();
    const dialog = await open(world);
    const slow = new PromiseDelegate<CheckResult>();
    vi.spyOn(world, 'check').mockReturnValueOnce(slow.promise);
    dialog.change({ ...dialog.state.values, name: 'first' });
    await vi.advanceTimersByTimeAsync(PAUSE_MS);
    dialog.change({ ...dialog.state.values, name: 'second' });
    await vi.advanceTimersByTimeAsync(PAUSE_MS);
    slow.resolve({ problems: [problemIn('name', 'of the first')], complete: true });
    await vi.advanceTimersByTimeAsync(0);
    expect(openProblems(dialog.state)).toEqual([]);
  });
});

describe('deploying', () => {
  it('sends the values of the fields', async () => {
    const world = new World();
    const dialog = await open(world);
    expect((await dialog.submit())?.id).toBe('j1');
    expect(world.asked).toEqual([{ model: 'clf', name: 'churn', example: 'X_test[:5]' }]);
  });

  it('waits for no look at a kernel that answers only once its cells have run', async () => {
    const world = new World();
    world.hasSubshells = false;
    const dialog = await open(world);
    world.becomes({ kind: 'busy', words: 'a cell runs' });
    const looks = world.checked.length;
    vi.spyOn(world, 'check').mockReturnValue(new PromiseDelegate<CheckResult>().promise);
    dialog.change({ ...dialog.state.values, name: 'tumour' });
    await vi.advanceTimersByTimeAsync(PAUSE_MS);
    expect(await dialog.submit()).not.toBeNull();
    expect(world.asked.map(one => one.name)).toEqual(['tumour']);
    expect(world.checked).toHaveLength(looks);
  });

  it('does not ask when the last check finds something wrong', async () => {
    const world = new World();
    const dialog = await open(world);
    world.problems = [problemIn('example', 'it raises')];
    expect(await dialog.submit()).toBeNull();
    expect(world.asked).toEqual([]);
    expect(blockingReason(dialog.state, trans)).toContain('Fix');
    expect(dialog.state.submitting).toBe(false);
  });

  it("puts the server's words at their field, or above the buttons", async () => {
    const world = new World();
    const dialog = await open(world);
    world.refuses = problemError({
      code: 'invalid_input',
      status: 422,
      title: 'no',
      errors: [{ loc: ['body', 'gate', 0], msg: 'no such sign' }]
    });
    expect(await dialog.submit()).toBeNull();
    expect(openProblems(dialog.state)).toMatchObject([
      { field: 'gate.0', message: 'no such sign' }
    ]);
    world.refuses = problemError({
      code: 'unreachable',
      title: 'The Jupyter server does not answer.'
    });
    dialog.change({ ...dialog.state.values, gates: [] });
    await vi.advanceTimersByTimeAsync(PAUSE_MS);
    await dialog.submit();
    expect(dialog.state.refusal?.message).toBe('The Jupyter server does not answer.');
  });

  it('lets a finding pass for a reason alone', async () => {
    const world = new World();
    world.problems = [
      problemIn('', 'leaks', { check: 'leakage', severity: 'error', message: 'leaks', cell: 3 })
    ];
    const dialog = await open(world);
    expect(blockingReason(dialog.state, trans)).toContain('waive the check with a reason');
    dialog.change({ ...dialog.state.values, waive: ['leakage'] });
    expect(openProblems(dialog.state).map(one => one.field)).toEqual(['reason']);
    dialog.change({ ...dialog.state.values, reason: 'known' });
    expect(blockingReason(dialog.state, trans)).toBe('');
  });

  it('refuses a share that is none', async () => {
    const world = new World();
    world.around = context({ endpoints: { churn: 'shadow' } });
    const dialog = await open(world);
    for (const percent of ['0', '101', 'x', '-1', ' ']) {
      dialog.change({ ...dialog.state.values, percent });
      expect(openProblems(dialog.state).map(one => one.field)).toEqual(['percent']);
    }
    dialog.change({ ...dialog.state.values, percent: '0.5' });
    expect(openProblems(dialog.state)).toEqual([]);
  });

  it('tries a request again with its fields', async () => {
    const world = new World();
    const dialog = await open(world, {
      model: 'net',
      name: 'other',
      reason: 'second',
      waive: ['leakage'],
      source: 'other:abc'
    });
    await dialog.submit();
    expect(world.asked).toEqual([
      { model: 'net', name: 'other', reason: 'second', waive: ['leakage'] }
    ]);
  });
});
