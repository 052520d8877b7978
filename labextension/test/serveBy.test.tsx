import { screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import * as React from 'react';
import { expect, it, vi } from 'vitest';

import type { EndpointPlan, EndpointView } from '../src/generated';
import { fieldsOf } from '../src/verbFields';
import { ServeBy } from '../src/widgets/endpoint/serveBy';
import { endpoint, job, shown } from './sidebarWorld';

const text = { type: 'string' };
const FIELDS = {
  BatchSpec: fieldsOf({
    required: ['source', 'sink', 'schedule'],
    properties: {
      source: text,
      sink: text,
      schedule: text,
      keep: { type: 'array', items: text, default: [] },
      workers: { anyOf: [{ type: 'integer' }, { type: 'null' }], default: null }
    }
  }),
  StreamSpec: fieldsOf({
    required: ['source', 'sink'],
    properties: { source: text, sink: text, dead_letters: { ...text, default: '' } }
  })
};
const fields = async (schema: string) => Promise.resolve(FIELDS[schema as keyof typeof FIELDS]);
const BATCH = {
  source: '/data/*.parquet',
  sink: '/scores',
  schedule: '0 3 * * *',
  keep: ['id'],
  format: 'parquet' as const,
  workers: null,
  pods: 1,
  max_errors: '0',
  role: 'stable' as const,
  validate: [],
  gate: []
};
const PLAN: EndpointPlan = {
  endpoint: 'clf',
  revision: 2,
  changes: [
    { change: 'stream: a → b; it reads from the next message', command: 'nbdeploy stream' }
  ],
  objects: [],
  applied: false,
  url: null
};

function show(view: Partial<EndpointView>, run = vi.fn()): { onChanged: ReturnType<typeof vi.fn> } {
  const onChanged = vi.fn();
  shown(<ServeBy view={endpoint(view)} onChanged={onChanged} />, { job: run, fields });
  return { onChanged };
}

it('shows the ways besides HTTP with their state, and a button for a command in it', () => {
  show({
    ways: [
      { way: 'batch', words: '/data → /scores', state: 'next 2026-12-04 03:00', healthy: true },
      {
        way: 'stream',
        words: 'a → b',
        state: "NOT RUNNING: 'nbdeploy reconcile' starts it",
        healthy: false
      }
    ]
  });
  const section = within(screen.getByRole('region', { name: 'Serve by' }));
  expect(section.getByText('next 2026-12-04 03:00')).toBeInTheDocument();
  expect(section.getByText('Reconcile…')).toBeInTheDocument();
});

it('plans the document first, and applies the same one at the revision of the plan', async () => {
  const run = vi.fn(async (verb: string) =>
    Promise.resolve(job({ verb, result: [{ ...PLAN, applied: verb === 'apply' }] }))
  );
  const { onChanged } = show({ serve: { http: {}, batch: BATCH, stream: null } }, run);
  await userEvent.click(screen.getByText('Change…'));
  const dialog = within(screen.getByRole('dialog', { name: 'Serve clf by' }));
  expect(await dialog.findByDisplayValue('/data/*.parquet')).toBeInTheDocument();
  await userEvent.click(dialog.getByRole('checkbox', { name: /Stream/ }));
  await userEvent.click(dialog.getByText('Show what changes'));
  expect(run).not.toHaveBeenCalled();
  const stream = within(dialog.getByRole('group', { name: 'Stream' }));
  expect(stream.getAllByText('A value is required.')).toHaveLength(2);

  await userEvent.type(stream.getByLabelText('Source'), 'nats://h/rows');
  await userEvent.type(stream.getByLabelText('Sink'), 'nats://h/scores');
  await userEvent.click(dialog.getByText('Show what changes'));
  const document = {
    name: 'clf',
    target: 'local',
    releases: [{ tag: 'clf:aaaaaaaabbbb' }],
    serve: {
      batch: { source: '/data/*.parquet', sink: '/scores', schedule: '0 3 * * *', keep: ['id'] },
      stream: { source: 'nats://h/rows', sink: 'nats://h/scores' }
    }
  };
  expect(run).toHaveBeenLastCalledWith('plan', { document });
  expect(dialog.getByText(/it reads from the next message/)).toBeInTheDocument();
  expect(run).toHaveBeenCalledTimes(1);
  await userEvent.type(dialog.getByLabelText('Reason'), 'at night');
  await userEvent.click(dialog.getByText('Apply'));
  const given = { document, if_revision: 2, reason: 'at night' };
  expect(run).toHaveBeenLastCalledWith('apply', given);
  expect(onChanged).toHaveBeenCalledOnce();
});

it('plans again after another change, and shows why nothing can be', async () => {
  const run = vi.fn(async (verb: string) =>
    Promise.resolve(job({ verb, result: [{ ...PLAN, changes: [] }] }))
  );
  show({ serve: { http: {}, batch: BATCH, stream: null } }, run);
  await userEvent.click(screen.getByText('Change…'));
  const dialog = within(screen.getByRole('dialog', { name: 'Serve clf by' }));
  await userEvent.click(await dialog.findByText('Show what changes'));
  expect(dialog.getByText(/Nothing changes/)).toBeInTheDocument();
  expect(dialog.queryByText('Apply')).toBeNull();

  await userEvent.click(dialog.getByRole('checkbox', { name: /Batch/ }));
  run.mockResolvedValueOnce(
    job({
      state: 'failed',
      problem: {
        code: 'conflict',
        title: 'Refused',
        status: 409,
        detail: 'clf is at revision 3, not 2',
        remedy: '',
        details: '',
        errors: [],
        report: '',
        findings: [],
        revision: null,
        history: []
      }
    })
  );
  await userEvent.click(dialog.getByText('Show what changes'));
  const document = {
    name: 'clf',
    target: 'local',
    releases: [{ tag: 'clf:aaaaaaaabbbb' }],
    serve: { batch: null, stream: null }
  };
  expect(run).toHaveBeenLastCalledWith('plan', { document });
  expect(dialog.getByRole('alert')).toHaveTextContent('clf is at revision 3, not 2');
});
