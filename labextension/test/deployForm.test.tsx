import { act, render, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import * as React from 'react';
import { describe, expect, it, vi } from 'vitest';

import { DeployModel } from '../src/deploy/deployModel';
import type { Job } from '../src/generated';
import { problemError } from '../src/transport/request';
import { DeployForm } from '../src/widgets/deploy/deployForm';
import { context, model, problemIn, trans, World } from './made/deploying';

async function open(world: World, notes: string[] = []) {
  const dialog = new DeployModel(world);
  const said = {
    onStarted: vi.fn<(job: Job) => void>(),
    close: vi.fn(),
    openCell: vi.fn(),
    kernelActions: { restart: vi.fn(), choose: vi.fn(), insert: vi.fn(), lookAgain: vi.fn() }
  };
  render(<DeployForm model={dialog} notes={notes} trans={trans} {...said} />);
  await dialog.loadModels();
  await waitFor(() => {
    expect(dialog.state.checking).toBe(false);
  });
  return { dialog, ...said, user: userEvent.setup() };
}

const FILE = {
  folder: '/work',
  path: '/work/nbdeploy.yaml',
  digest: 'd1',
  content: 'publish_to: registry.example/team/{name}\n',
  agreed: false
};

const deploy = (): HTMLElement => screen.getByRole('button', { name: 'Deploy' });

describe('the fields', () => {
  it('writes a validation notebook by a button where the folder has none', async () => {
    const world = new World();
    const { user } = await open(world);
    await user.click(screen.getByRole('button', { name: 'Write a validation notebook' }));
    expect(await screen.findByText(/Present gates: validate_churn.ipynb/)).toBeInTheDocument();
    expect(world.written).toEqual([['churn']]);
    expect(screen.queryByRole('button', { name: 'Write a validation notebook' })).toBeNull();
  });

  it('ask once for the settings of the folder, with the content that would apply', async () => {
    const world = new World();
    world.around = context({ settings: FILE });
    const { user } = await open(world);
    const notice = screen.getByRole('region', { name: 'Settings of this folder' });
    expect(notice).toHaveTextContent('publish_to: registry.example/team/{name}');
    await user.click(within(notice).getByRole('button', { name: 'Use these settings' }));
    expect(await screen.findByText('Jobs use the settings in /work/nbdeploy.yaml.')).toHaveFocus();
    expect(screen.queryByRole('region', { name: 'Settings of this folder' })).toBeNull();
  });

  it('say why the settings of the folder could not be agreed to', async () => {
    const world = new World();
    world.around = context({ settings: FILE });
    Object.assign(world, {
      agree: async () =>
        Promise.reject(problemError({ code: 'settings_changed', title: 'it has changed' }))
    });
    const { user } = await open(world);
    await user.click(screen.getByRole('button', { name: 'Use these settings' }));
    expect(await screen.findByText(/it has changed/)).toBeVisible();
    expect(screen.getByRole('button', { name: 'Use these settings' })).toBeVisible();
  });

  it('are filled at once, so that one click deploys', async () => {
    const world = new World();
    const { onStarted, user } = await open(world);
    expect(screen.getByRole('radio', { name: /clf/ })).toBeChecked();
    expect(screen.getByLabelText('Example')).toHaveValue('X_test[:5]');
    expect(screen.getByLabelText('Name')).toHaveValue('churn');
    expect(screen.getByRole('radio', { name: /stable/ })).toBeChecked();
    expect(screen.getByRole('cell', { name: '<b>gold</b>' })).toBeInTheDocument(); // as text
    await user.click(deploy());
    expect(onStarted).toHaveBeenCalledWith(expect.objectContaining({ id: 'j1' }));
  });

  it('the method is chosen from those of the model, or typed', async () => {
    await open(new World());
    const method = screen.getByLabelText<HTMLInputElement>('Method');
    expect(Array.from(method.list?.options ?? [], one => one.value)).toEqual([
      'predict',
      'predict_proba'
    ]);
  });

  it('resources show the defaults, and are sent as typed', async () => {
    const world = new World();
    world.around = context({
      resources: {
        cpu: null,
        memory: 512e6,
        gpu: null,
        workers: 2,
        threads: null,
        idle_after: null,
        replicas: null
      }
    });
    world.problems = [problemIn('resources', 'memory cannot be 12 parsecs')];
    const { user } = await open(world);
    expect(screen.getByLabelText('workers')).toHaveAttribute('placeholder', '2');
    expect(screen.getByLabelText('memory')).toHaveAttribute('placeholder', '512MB');
    expect(screen.getByLabelText('processors')).toHaveAttribute('placeholder', 'any');
    expect(await screen.findByText(/^memory cannot be 12 parsecs/)).toBeVisible(); // it opens by itself
    world.problems = [];
    await user.type(screen.getByLabelText('workers'), '4');
    await user.type(screen.getByLabelText('memory'), '1GB');
    await user.click(deploy());
    await waitFor(() => {
      expect(world.asked[0]?.resources).toEqual({ workers: '4', memory: '1GB' });
    });
  });

  it('Enter in a field deploys, and Tab goes from one to the next', async () => {
    const world = new World();
    const { user } = await open(world);
    screen.getByLabelText('Name').focus();
    await user.keyboard('2{Tab}');
    expect(screen.getByRole('radio', { name: /stable/ })).toHaveFocus();
    screen.getByLabelText('Name').focus();
    await user.keyboard('{Enter}');
    await waitFor(() => {
      expect(world.asked).toMatchObject([{ name: 'churn2' }]);
    });
  });

  it('a chosen guess is previewed, and pressed', async () => {
    const world = new World();
    const { user } = await open(world);
    await user.click(screen.getByRole('button', { name: 'X[:5]' }));
    expect(screen.getByRole('button', { name: 'X[:5]' })).toHaveAttribute('aria-pressed', 'true');
    await waitFor(() => {
      expect(world.previewed.at(-1)).toBe('X[:5]');
    });
  });

  it('arrows move within the suggestions, which are one Tab stop', async () => {
    const { user } = await open(new World());
    const bar = screen.getByRole('toolbar', { name: 'Suggestions' });
    const [first, second] = within(bar).getAllByRole('button');
    first?.focus();
    await user.keyboard('{ArrowRight}');
    expect(second).toHaveFocus();
    await user.keyboard('{Enter}');
    expect(screen.getByLabelText('Example')).toHaveValue(second?.textContent);
    await user.keyboard('{Tab}');
    expect(screen.getByLabelText('Example')).toHaveFocus();
  });

  it('Tab comes to the cell of the selected model alone', async () => {
    await open(new World());
    const links = screen.getAllByTitle('Show this cell');
    expect(links.filter(link => link.tabIndex === 0)).toHaveLength(1);
  });

  it('a problem is shown at its field, and the button gives the reason', async () => {
    const world = new World();
    world.problems = [problemIn('name', "'Churn 1' is no name")];
    const { user } = await open(world);
    const name = await screen.findByRole('textbox', { name: 'Name', description: /is no name/ });
    expect(name).toBeInvalid();
    expect(deploy()).toHaveAttribute('aria-disabled', 'true');
    expect(deploy()).toHaveAccessibleDescription('Fix the marked fields first.');
    await user.click(deploy());
    expect(world.asked).toEqual([]);
    expect(name).toHaveFocus();
  });

  it('each gate shows its problem', async () => {
    const world = new World();
    const { dialog, user } = await open(world);
    await user.click(screen.getByRole('button', { name: 'Add a gate' }));
    expect(screen.getByLabelText('Gate 1')).toHaveFocus();
    await user.keyboard('accuracy > 0.9');
    await user.click(screen.getByRole('button', { name: 'Add a gate' }));
    world.problems = [problemIn('gate.1', 'no such sign')];
    await user.keyboard('f1 = 1');
    expect(
      await screen.findByRole('textbox', { name: 'Gate 2', description: /sign/ })
    ).toBeInvalid();
    expect(screen.getByLabelText('Gate 1')).toBeValid();
    world.problems = [];
    await user.click(screen.getByRole('button', { name: 'Remove gate 2' }));
    expect(dialog.state.values.gates).toEqual(['accuracy > 0.9']);
  });

  it('roles that a first release cannot have are not offered; a percent belongs to the others', async () => {
    const world = new World();
    world.around = context({ endpoints: { churn: 'shadow' } });
    const { user } = await open(world);
    expect(screen.getByRole('radio', { name: /shadow/ })).toBeChecked();
    await user.click(screen.getByRole('radio', { name: /canary/ }));
    expect(screen.getByLabelText(/Percent of the requests that it answers/)).toHaveValue('10');
    await user.clear(screen.getByLabelText('Name'));
    await user.type(screen.getByLabelText('Name'), 'fresh');
    expect(screen.getByRole('radio', { name: /canary/ })).toBeDisabled();
    expect(screen.getByRole('radio', { name: /stable/ })).toBeChecked();
    expect(screen.queryByLabelText(/Percent/)).toBeNull();
  });

  it('a finding leads to its cell, and can be let pass for a reason', async () => {
    const world = new World();
    const finding = {
      check: 'leakage',
      severity: 'error',
      message: '3 rows of the example were fitted on',
      remedy: 'take test data',
      cell: 7,
      waived: null
    };
    world.problems = [problemIn('', finding.message, finding)];
    const { openCell, user } = await open(world);
    const found = await screen.findByRole('region', { name: 'Findings of the checks' });
    await user.click(within(found).getByRole('button', { name: 'In [7]' }));
    expect(openCell).toHaveBeenCalledWith(7);
    await user.click(within(found).getByRole('checkbox'));
    expect(screen.getByLabelText('Reason')).toBeInvalid();
    await user.type(screen.getByLabelText('Reason'), 'a rehearsal');
    await user.click(deploy());
    expect(world.asked).toMatchObject([{ waive: ['leakage'], reason: 'a rehearsal' }]);
  });

  it('null in columns that the example lacks is accepted by one click, and refused again', async () => {
    const world = new World();
    const finding = {
      check: 'missing-values',
      severity: 'warning',
      message: 'the training table has missing values in age, plan; the example has none',
      remedy: '',
      cell: null,
      columns: ['age', 'plan'],
      waived: null
    };
    world.problems = [problemIn('example', finding.message, finding)];
    const { user } = await open(world);
    await user.click(screen.getByRole('button', { name: 'Accept null in these 2 columns' }));
    expect(screen.getByText(/Requests may have null in age, plan/)).toBeInTheDocument();
    await user.click(deploy());
    expect(world.asked).toMatchObject([{ nullable: ['age', 'plan'] }]);
    await user.click(screen.getByRole('button', { name: 'Refuse null' }));
    await user.click(deploy());
    expect(world.asked[1]).not.toHaveProperty('nullable');
  });

  it('the last deploy is offered again and marked', async () => {
    const world = new World();
    const last = {
      release: 'churn:1',
      at: '2026-01-01T00:00:00Z',
      model: 'net',
      method: 'predict',
      example: 'rows[:3]',
      nullable: []
    };
    world.models = [model('clf'), model('net')];
    world.around = context({ last });
    const { user } = await open(world);
    expect(screen.getByRole('radio', { name: /net/ })).toBeChecked();
    expect(screen.getByLabelText('Example')).toHaveValue('rows[:3]');
    expect(screen.getAllByText('as in the last deploy')).toHaveLength(2);
    await user.click(screen.getByRole('radio', { name: /clf/ }));
    expect(screen.getAllByText('as in the last deploy')).toHaveLength(1);
  });

  it('an unusual model is not chosen without a word', async () => {
    const world = new World();
    world.models = [model('detector', { unusual: true, kind: 'IsolationForest' })];
    const { user } = await open(world);
    expect(screen.getByRole('radio', { name: /detector/ })).not.toBeChecked();
    expect(screen.getByRole('radio', { name: 'Another expression' })).not.toBeChecked();
    expect(screen.getByText('Choose a model first.')).toBeInTheDocument();
    await user.click(screen.getByRole('radio', { name: /detector/ }));
    await user.click(deploy());
    expect(world.asked).toMatchObject([{ model: 'detector', example: 'X_test[:5]' }]);
  });

  it('notebooks of the folder are selected, and present gates are shown', async () => {
    const world = new World();
    const notebook = {
      path: '/w/a.ipynb',
      title: 'a',
      of: '',
      gates: ['accuracy >= 0.9'],
      parameters: {}
    };
    world.around = context({ notebooks: [notebook], asked: ['b.ipynb, 2 gates'] });
    const { user } = await open(world);
    expect(screen.getByText('Present gates: b.ipynb, 2 gates')).toBeInTheDocument();
    await user.click(screen.getByRole('checkbox', { name: /^a/ }));
    expect(screen.getByText(/^Instead of the present gates/)).toBeInTheDocument();
    await user.click(deploy());
    expect(world.asked).toMatchObject([{ validate: ['/w/a.ipynb'] }]);
  });

  it('another expression can replace the listed models', async () => {
    const world = new World();
    const { user } = await open(world);
    await user.click(screen.getByRole('radio', { name: 'Another expression' }));
    expect(deploy()).toHaveAccessibleDescription('Choose a model first.');
    await user.type(
      screen.getByLabelText('Expression for the model'),
      'models["b"]'.replace('[', '[[')
    );
    await user.click(deploy());
    expect(world.asked).toMatchObject([{ model: 'models["b"]' }]);
  });

  it('many models are shown on demand', async () => {
    const world = new World();
    world.models = Array.from({ length: 30 }, (_, n) => model(`m${String(n)}`));
    const { user } = await open(world);
    expect(screen.queryByRole('radio', { name: /m29/ })).toBeNull();
    await user.click(screen.getByRole('button', { name: 'Show 26 more' }));
    expect(screen.getByRole('radio', { name: /m29/ })).toBeInTheDocument();
  });

  it('a notice is shown next to the button', async () => {
    await open(new World(), ['The notebook has unsaved changes: it is saved first.']);
    expect(screen.getByText(/saved first/)).toBeInTheDocument();
  });
});

describe('a kernel that cannot tell', () => {
  it.each([
    [{ kind: 'none' as const }, 'Choose a kernel…', 'choose' as const],
    [{ kind: 'dead' as const }, 'Restart the kernel', 'restart' as const],
    [{ kind: 'other' as const, language: 'R' }, 'Choose another kernel…', 'choose' as const]
  ])('%j says what to do', async (state, button, action) => {
    const world = new World();
    world.state = state;
    const { kernelActions, user } = await open(world);
    await user.click(screen.getByRole('button', { name: button }));
    expect(kernelActions[action]).toHaveBeenCalled();
    expect(deploy()).toHaveAttribute('aria-disabled', 'true');
  });

  it('starts: it is said', async () => {
    const world = new World();
    world.state = { kind: 'starting' };
    await open(world);
    expect(screen.getByText('The kernel is starting…')).toBeInTheDocument();
  });

  it('is busy: the models are there all the same, and what the capture waits for is said', async () => {
    const world = new World();
    world.state = { kind: 'busy', words: 'The kernel is busy: a cell runs.' };
    const { user } = await open(world);
    expect(screen.getByText('The kernel is busy: a cell runs.')).toBeInTheDocument();
    await user.click(deploy());
    expect(world.asked).toHaveLength(1);
  });

  it('has no nbdeploy: the line that installs it can be inserted', async () => {
    const world = new World();
    world.cannotLook = problemError({
      code: 'no_nbdeploy',
      title: "The kernel's environment has no nbdeploy.",
      remedy: 'Run in a cell: …'
    });
    const { kernelActions, user } = await open(world);
    expect(screen.getByRole('alert')).toHaveTextContent('has no nbdeploy');
    await user.click(screen.getByRole('button', { name: 'Insert cell' }));
    expect(kernelActions.insert).toHaveBeenCalledWith(expect.stringContaining('%pip install'));
  });

  it('has no model: says what makes one, and takes an expression', async () => {
    const world = new World();
    world.models = [];
    const { kernelActions, user } = await open(world);
    expect(screen.getByText(/holds no model yet/)).toBeInTheDocument();
    await user.click(screen.getByRole('button', { name: 'Refresh' }));
    expect(kernelActions.lookAgain).toHaveBeenCalled();
    await user.type(screen.getByLabelText('Expression for the model'), 'rules');
    await user.click(deploy());
    expect(world.asked).toMatchObject([{ model: 'rules' }]);
  });

  it('dies while it holds no model: only what helps is said', async () => {
    const world = new World();
    world.models = [];
    await open(world);
    act(() => {
      world.becomes({ kind: 'dead' });
    });
    expect(screen.getByText(/has died/)).toBeInTheDocument();
    expect(screen.queryByText(/holds no model yet/)).toBeNull();
  });
});
