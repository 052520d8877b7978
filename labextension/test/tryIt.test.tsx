import { fireEvent, screen, waitFor } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import * as React from 'react';
import { describe, expect, it, vi } from 'vitest';

import { fitChart } from '../src/charts';
import { exact } from '../src/exact';
import { instanceOf, textsOf } from '../src/form';
import type { FormField, FormView } from '../src/generated';
import { withinServer } from '../src/paths';
import { problemOf } from '../src/transport/problem';
import { problemError, requestAPI } from '../src/transport/request';
import { History } from '../src/widgets/endpoint/history';
import { Sidebar, type SidebarState } from '../src/widgets/endpoint/sidebar';
import { TryIt } from '../src/widgets/endpoint/tryIt';
import { trans } from './made/deploying';
import { Server } from './server';
import { endpoint, job, SHADOW, shown } from './sidebarWorld';

function field(name: string, given: Partial<FormField> = {}): FormField {
  return {
    name,
    label: name,
    kind: 'number',
    choices: [],
    required: true,
    nullable: false,
    minimum: null,
    maximum: null,
    help: '',
    value: null,
    ...given
  };
}

const FIELDS = [
  field('age', { kind: 'integer', value: 41, minimum: 0 }),
  field('plan', { kind: 'choice', choices: ['basic', 'full'], value: 'full' }),
  field('active', { kind: 'boolean', value: true }),
  field('note', { kind: 'text', required: false }),
  field('score', { nullable: true })
];

const FORM: FormView = {
  name: 'clf',
  release: 'clf:aaaaaaaabbbb',
  url: 'http://127.0.0.1/clf/predict',
  fields: FIELDS,
  instance: { age: 41 },
  snippets: [
    { language: 'curl', title: 'curl', text: 'curl -sS' },
    { language: 'python', title: 'Python', text: 'import json' }
  ]
};

describe('the values of a form', () => {
  it('is the example at first', () => {
    expect(instanceOf(FIELDS, textsOf(FIELDS), trans)).toEqual({
      instance: { age: 41, plan: 'full', active: true, score: null },
      problems: {}
    });
  });

  it('is refused where it cannot be, field by field', () => {
    const typed = { ...textsOf(FIELDS), age: '-1', score: 'much' };
    expect(instanceOf(FIELDS, typed, trans).problems).toEqual({
      age: 'less than 0',
      score: 'not a number'
    });
    expect(instanceOf(FIELDS, { ...typed, age: '1.5' }, trans).problems.age).toBe(
      'not a whole number'
    );
    expect(instanceOf(FIELDS, { ...typed, age: '' }, trans).problems.age).toBe(
      'a value is required'
    );
  });
});

describe('trying an endpoint', () => {
  it('sends the values of the form, and shows the answer', async () => {
    const body = { predictions: ['<b>yes</b>'] };
    const answer = {
      endpoint: 'clf',
      status: 200,
      release: 'clf:aaaaaaaabbbb',
      request_id: 'r1',
      body
    };
    const call = vi.fn(async () => Promise.resolve(answer as never));
    shown(<TryIt view={endpoint()} />, { view: async () => Promise.resolve(FORM as never), call });
    const age = await screen.findByLabelText('age');
    await userEvent.clear(age);
    expect(screen.getByRole('button', { name: 'Send' })).toBeDisabled();
    expect(age).toHaveAccessibleDescription('a value is required');
    await userEvent.type(age, '50{Enter}');
    expect(call).toHaveBeenCalledWith('predict', {
      name: 'clf',
      data: [{ age: 50, plan: 'full', active: true, score: null }]
    });
    expect(await screen.findByText(/<b>yes<\/b>/)).toBeInTheDocument();
    await userEvent.click(screen.getByRole('button', { name: 'As JSON' }));
    expect(screen.getByRole('textbox')).toHaveValue(
      JSON.stringify({ age: 50, plan: 'full', active: true, score: null }, null, 2)
    );
  });

  it('sends and shows numbers with all their digits', async () => {
    const large = '9007199254740993';
    const asked: string[] = [];
    const server = new Server({
      'POST views/form': () => {
        const fields = [field('id', { kind: 'integer', maximum: 1e30 }), field('x')];
        const text = JSON.stringify({ ...FORM, fields, instance: { id: 1, x: 2.5 } });
        return new Response(
          text.replace('"id":1', `"id":${large}`).replace('"value":null', `"value":${large}`)
        );
      },
      'POST predict': async request => {
        asked.push(await request.text());
        return new Response(
          `{"status": 200, "release": "", "body": {"predictions": [${large}, 1.0, NaN0]}}`.replace(
            'NaN0',
            '2e-7'
          )
        );
      }
    });
    const propose = async (path: string, body: unknown): Promise<never> => {
      const given = { method: 'POST' as const, body, json: exact };
      return (await requestAPI<never>(server.transport, path, given)).value;
    };
    shown(<TryIt view={endpoint()} />, {
      view: async (name, request) => propose(`views/${name}`, request),
      call: async (verb, request) => propose(verb, request)
    });
    const id = await screen.findByLabelText('id');
    expect(id).toHaveValue(large);
    await userEvent.type(screen.getByLabelText('x'), '2.50');
    await userEvent.click(screen.getByRole('button', { name: 'Send' }));
    const answer = await screen.findByLabelText('Answer', { selector: 'pre' });
    expect(answer.textContent.replace(/\s/g, '')).toBe(`{"predictions":[${large},1.0,2e-7]}`);
    await userEvent.clear(id);
    await userEvent.type(id, '-12345678901234567890{Enter}');
    await userEvent.click(screen.getByRole('button', { name: 'As JSON' }));
    const text = screen.getByRole('textbox');
    expect(text).toHaveValue('{\n  "id": -12345678901234567890,\n  "x": 2.5\n}');
    fireEvent.change(text, { target: { value: `{"id": ${large}, "x": 1.0}` } });
    await userEvent.click(screen.getByRole('button', { name: 'Send' }));
    await waitFor(() => {
      expect(asked).toEqual([
        `{"name":"clf","data":[{"id":${large},"x":2.5}]}`,
        '{"name":"clf","data":[{"id":-12345678901234567890,"x":2.5}]}',
        `{"name":"clf","data":[{"id":${large},"x":1.0}]}`
      ]);
    });
  });

  it('shows the problem of the server', async () => {
    const refused = problemError({
      code: 'x',
      title: 'No',
      detail: 'the endpoint has gone',
      status: 409,
      remedy: 'look'
    });
    shown(<TryIt view={endpoint()} />, {
      view: async () => Promise.resolve(FORM as never),
      call: async () => Promise.reject(refused)
    });
    await userEvent.click(await screen.findByRole('button', { name: 'Send' }));
    expect(await screen.findByRole('alert')).toHaveTextContent('the endpoint has gone→ look');
  });

  it('shows a snippet a language, to be copied', async () => {
    const copy = vi.fn(async () => Promise.resolve(true));
    shown(<TryIt view={endpoint()} />, { view: async () => Promise.resolve(FORM as never), copy });
    await userEvent.click(await screen.findByRole('tab', { name: 'Python' }));
    await userEvent.click(screen.getByRole('button', { name: 'Copy the Python snippet' }));
    expect(copy).toHaveBeenCalledWith('import json');
  });
});

describe('the history', () => {
  it('shows the difference of two releases from a job', async () => {
    const asked = vi.fn(async () => Promise.resolve(job({ id: 'j7', verb: 'diff' })));
    const told = { title: '', html: '<p>40 hyperparameters changed</p>' };
    const view = vi.fn(async (name: string) =>
      Promise.resolve((name === 'result_page' ? told : { validations: [], charts: [] }) as never)
    );
    shown(<History view={endpoint()} now={0} propose={vi.fn()} />, { job: asked, view });
    await userEvent.click(screen.getByRole('button', { name: 'Show' }));
    expect(await screen.findByText('40 hyperparameters changed')).toBeInTheDocument();
    expect(asked).toHaveBeenCalledWith('diff', { a: 'clf:aaaaaaaabbbb', b: SHADOW.tag });
    expect(view).toHaveBeenCalledWith('result_page', { job: 'j7' }, expect.anything());
  });
});

describe('the sidebar', () => {
  const state: SidebarState = {
    endpoints: [],
    home: '',
    problem: null,
    connected: true,
    heard: null,
    expired: false,
    opened: null,
    openings: 0,
    tab: 'releases'
  };
  const sidebar = (given: Partial<SidebarState>): React.JSX.Element => (
    <Sidebar
      state={{ ...state, ...given }}
      onOpen={vi.fn()}
      onTab={vi.fn()}
      onAgain={vi.fn()}
      jobs={null}
    />
  );

  it('keeps its content while the server does not answer', async () => {
    shown(sidebar({ connected: false, heard: '2026-11-26T02:00:00Z' }));
    await waitFor(() => {
      expect(screen.getByRole('alert')).toHaveTextContent('Endpoints keep running.');
    });
    expect(screen.getByText('Nothing is deployed yet')).toBeInTheDocument();
  });

  it('names broken parts of nbdeploy, and mends them', async () => {
    const one = {
      part: 'supervisor',
      state: 'error',
      message: 'it does not run',
      remedy: '',
      mended: false
    };
    const view = vi
      .fn()
      .mockResolvedValueOnce({ broken: [one] })
      .mockResolvedValue({ broken: [] });
    const job = vi.fn().mockResolvedValue({ state: 'done' });
    shown(sidebar({}), { view, job });
    expect(await screen.findByText(/supervisor: it does not run/)).toBeInTheDocument();
    await userEvent.click(screen.getByRole('button', { name: 'Mend' }));
    expect(job).toHaveBeenCalledWith('doctor', { mend: true });
    await waitFor(() => {
      expect(screen.queryByText(/it does not run/)).toBeNull();
    });
  });

  it('asks for a new log-in, once', () => {
    const problem = problemOf(problemError({ code: 'not_signed_in', title: 'ended', status: 403 }));
    shown(sidebar({ expired: true, problem }));
    expect(screen.getByRole('alert')).toHaveTextContent('Log in again in another tab');
    expect(screen.getByRole('link', { name: 'Log in…' })).toHaveAttribute('target', '_blank');
  });
});

describe('the path of a notebook', () => {
  it('is that within the server’s folder', () => {
    expect(withinServer('/home/ana/work/a/b.ipynb', '/home/ana/work')).toBe('a/b.ipynb');
    expect(withinServer('/home/ana/work/a.ipynb', '~/work')).toBe('a.ipynb');
    expect(withinServer('/root/a.ipynb', '~')).toBe('a.ipynb');
    expect(withinServer('/a.ipynb', '/')).toBe('a.ipynb');
    expect(withinServer('/home/ana/workshop/a.ipynb', '/home/ana/work')).toBeNull();
    expect(withinServer('/srv/a.ipynb', '~/work')).toBeNull();
    expect(withinServer(String.raw`C:\Users\ana\w\a.ipynb`, '~/w')).toBe('a.ipynb');
  });
});

describe('a chart', () => {
  it('is as wide as its container, its parts in a column, with its caption', () => {
    const shared = { $schema: 's', config: {}, background: 'transparent' };
    const spec = {
      ...shared,
      title: { text: 'A', subtitle: ['one', 'two'] },
      description: 'words',
      hconcat: [{ mark: 'bar', width: 999 }, { mark: 'line' }]
    };
    const found = fitChart(spec, 300);
    expect(found).toMatchObject({ title: 'A', caption: ['one', 'two'], description: 'words' });
    expect(found.specs.map(one => [one.mark, one.width])).toEqual([
      ['bar', 300],
      ['line', 300]
    ]);
    const facet = fitChart({ ...shared, facet: {}, spec: { mark: 'line' } }, 300);
    expect(facet.specs[0]?.spec).toMatchObject({ width: 244 });
    const below = fitChart({ ...shared, vconcat: [{ mark: 'line', width: 380 }] }, 300);
    expect(below.specs[0]?.vconcat).toEqual([{ mark: 'line', width: 244 }]);
  });

  it('has its legend as a list where there is little room', () => {
    const spec = { config: { legend: { orient: 'bottom', columns: 2 } }, mark: 'line' };
    expect(fitChart(spec, 200).specs[0]?.config).toMatchObject({
      legend: { orient: 'bottom', columns: 1 }
    });
    expect(fitChart(spec, 400).specs[0]?.config).toMatchObject({
      ...spec.config,
      axisY: { labelLimit: 384 }
    });
  });
});
