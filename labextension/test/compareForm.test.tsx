import { Signal } from '@lumino/signaling';
import { act, render, screen, waitFor } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import * as React from 'react';
import { describe, expect, it, vi } from 'vitest';

import type { KernelState } from '../src/deploy/deployModel';
import type { CandidatesRequest, FieldProblem, KernelReport } from '../src/generated';
import { problemError } from '../src/transport/request';
import { CompareForm, type CompareWorld } from '../src/widgets/candidates/compareForm';
import { cellOf } from '../src/widgets/candidates/compareValues';
import { model, problemIn, report, trans } from './made/deploying';

const REPORT: KernelReport = {
  ...report(
    model('logit'),
    model('forest', { kind: 'RandomForestClassifier' }),
    model('scaler', { unusual: true }),
    model('answer', { kind: 'function', framework: '' })
  ),
  labelled: [
    { x: 'X_test', y: 'y_test', words: '100 rows, 2 columns' },
    { x: 'X', y: 'y', words: '400 rows, 2 columns' }
  ]
};

class World implements CompareWorld {
  state: KernelState = { kind: 'idle' };
  given = REPORT;
  problems: FieldProblem[] = [];
  refuses: unknown = null;
  readonly compared: CandidatesRequest[] = [];
  readonly kernelChanged = new Signal<this, void>(this);
  readonly kernel = (): KernelState => this.state;
  readonly canAnswer = (): boolean => true;
  readonly report = async (): Promise<KernelReport> => Promise.resolve(this.given);
  readonly check = async (): Promise<FieldProblem[]> => Promise.resolve(this.problems);
  readonly insert = vi.fn<CompareWorld['insert']>();
  readonly compare = async (request: CandidatesRequest): Promise<void> => {
    if (this.refuses !== null) throw this.refuses as Error;
    this.compared.push(request);
    return Promise.resolve();
  };
}

function open(world: World) {
  const close = vi.fn();
  const kernelActions = { restart: vi.fn(), choose: vi.fn(), insert: vi.fn() };
  render(
    <CompareForm
      world={world}
      endpoints={['churn']}
      kernelActions={kernelActions}
      close={close}
      trans={trans}
    />
  );
  return { close, user: userEvent.setup() };
}

const compare = (): HTMLElement => screen.getByRole('button', { name: 'Compare' });

describe('the fields', () => {
  it('are filled in from the kernel: its estimators, and the rows outside the training', async () => {
    const world = new World();
    const { close, user } = open(world);
    expect(await screen.findByRole('checkbox', { name: /^logit/ })).toBeChecked();
    expect(screen.getByRole('checkbox', { name: /^scaler/ })).not.toBeChecked();
    expect(screen.getByRole('checkbox', { name: /^answer/ })).not.toBeChecked();
    expect(screen.getByText('100 rows, 2 columns')).toBeInTheDocument();
    await user.click(compare());
    await waitFor(() => {
      expect(close).toHaveBeenCalled();
    });
    expect(world.compared).toEqual([{ models: ['logit', 'forest'], x: 'X_test', y: 'y_test' }]);
  });

  it('make a request with what the user changes; the answers follow the rows', async () => {
    const world = new World();
    const { user } = open(world);
    await user.click(await screen.findByRole('checkbox', { name: /^forest/ }));
    const rows = screen.getByLabelText('Test rows');
    await user.clear(rows);
    await user.type(rows, 'X');
    expect(screen.getByLabelText('True answers')).toHaveValue('y');
    await user.type(
      screen.getByLabelText('Constraints'),
      'memory_mb <= 300; accuracy[[sex=F, old=yes] >= 0.9'
    );
    await user.type(screen.getByLabelText('Endpoint'), 'churn');
    await user.click(screen.getByText('More'));
    await user.click(screen.getByRole('checkbox', { name: /Do not translate/ }));
    await user.click(compare());
    await waitFor(() => {
      expect(world.compared).toEqual([
        {
          models: ['logit'],
          x: 'X',
          y: 'y',
          endpoint: 'churn',
          constraint: ['memory_mb <= 300', 'accuracy[sex=F, old=yes] >= 0.9'],
          native_only: true
        }
      ]);
    });
  });

  it('show what the kernel finds wrong, and send nothing until it is corrected', async () => {
    const world = new World();
    world.problems = [
      problemIn('y', 'X has 100 rows, and y has 400'),
      problemIn('constraint', 'typo')
    ];
    const { close, user } = open(world);
    await screen.findByRole('checkbox', { name: /^logit/ });
    await user.click(compare());
    expect(await screen.findByText('X has 100 rows, and y has 400.')).toBeInTheDocument();
    expect(screen.getByText('typo.')).toBeInTheDocument();
    await waitFor(() => {
      expect(screen.getByLabelText('True answers')).toHaveFocus();
    });
    expect(world.compared).toEqual([]);
    world.problems = [];
    await user.click(compare());
    await waitFor(() => {
      expect(close).toHaveBeenCalled();
    });
  });

  it('stay as they are if the request is refused, with the reason', async () => {
    const world = new World();
    world.refuses = problemError({ code: 'x', title: 'the disk is full', remedy: 'remove files' });
    const { close, user } = open(world);
    await screen.findByRole('checkbox', { name: /^logit/ });
    await user.type(screen.getByLabelText('Metric'), 'f1');
    await user.click(compare());
    expect(await screen.findByRole('alert')).toHaveTextContent('the disk is full remove files');
    expect(screen.getByLabelText('Metric')).toHaveValue('f1');
    expect(close).not.toHaveBeenCalled();
  });
});

describe('a kernel', () => {
  it('without a model, or without an answer, says what to do', async () => {
    const world = new World();
    world.given = { ...report(), labelled: [] };
    open(world);
    expect(await screen.findByText(/Run the cells that make your models/)).toBeInTheDocument();
    expect(screen.queryByLabelText('Test rows')).toBeNull();
  });

  it('that starts later fills the form in then', async () => {
    const world = new World();
    world.state = { kind: 'starting' };
    open(world);
    expect(screen.getByText('The kernel is starting…')).toBeInTheDocument();
    act(() => {
      world.state = { kind: 'idle' };
      world.kernelChanged.emit();
    });
    expect(await screen.findByRole('checkbox', { name: /^logit/ })).toBeChecked();
  });
});

describe('a cell', () => {
  it('measures the models as the kernel holds them', async () => {
    const world = new World();
    const { user } = open(world);
    await screen.findByRole('checkbox', { name: /^logit/ });
    await user.click(screen.getByRole('button', { name: 'Insert cell' }));
    await waitFor(() => {
      expect(world.insert).toHaveBeenCalledWith(
        '%deploy_candidates logit forest --x X_test --y y_test'
      );
    });
  });

  it('quotes what a shell would split', () => {
    const line = cellOf({
      models: ['a'],
      x: "df[df.sex == 'F']",
      y: 'y',
      constraint: ['p99 <= 5'],
      native_only: true
    });
    expect(line).toBe(
      `%deploy_candidates a --x 'df[df.sex == '"'"'F'"'"']' --y y --constraint 'p99 <= 5' --native-only`
    );
  });
});
