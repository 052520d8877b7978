/** What tests of the sidebar's widgets stand on: documents as Python makes them, and services that are told what to say. */
import { RenderMimeRegistry, standardRendererFactories } from '@jupyterlab/rendermime';
import { nullTranslator } from '@jupyterlab/translation';
import { render, type RenderResult } from '@testing-library/react';
import * as React from 'react';
import { type Mock, vi } from 'vitest';

import type { ChangeWorld } from '../src/changes';
import { EndpointModel } from '../src/endpoint';
import type { EndpointView, Job, Preview, ReleaseCard } from '../src/generated';
import { labRenderer } from '../src/labRenderer';
import { problemError } from '../src/transport/request';
import { type Services, ServicesProvider } from '../src/widgets/ui/services';

// jsdom lays nothing out.
Element.prototype.scrollTo = () => undefined;
Object.defineProperty(Element.prototype, 'clientHeight', { get: () => 600 });
Object.defineProperty(Element.prototype, 'clientWidth', { get: () => 300 });

export function card(given: Partial<ReleaseCard> = {}): ReleaseCard {
  return {
    tag: 'clf:aaaaaaaabbbb',
    role: 'stable',
    percent: 100,
    healthy: true,
    health: 'healthy',
    variable: 'model',
    notebook: 'train.ipynb',
    path: '/home/ana/work/train.ipynb',
    framework: 'sklearn',
    image: '',
    stochastic: false,
    changes: '',
    gates: null,
    found: '',
    findings: [],
    created: '2026-11-26T02:00:00Z',
    label: '',
    metrics: {},
    published: [],
    counts: {
      requests: 1234,
      errors: 0,
      refused: 0,
      p50_ms: 7.1,
      rates: [1, 2],
      since: null,
      recorded: null
    },
    usage: null,
    limits: [],
    ...given
  };
}

export const SHADOW = card({ tag: 'clf:ccccccccdddd', role: 'shadow', percent: 100 });

export function endpoint(given: Partial<EndpointView> = {}): EndpointView {
  return {
    name: 'clf',
    target: 'local',
    url: 'http://127.0.0.1:8080/clf/predict',
    revision: 2,
    previous: 1,
    running: true,
    healthy: true,
    words: 'healthy',
    record: 'full',
    validations: [],
    serve: { http: {}, batch: null, stream: null },
    ways: [],
    ramp: null,
    cards: [card(), SHADOW],
    history: [
      {
        revision: 2,
        at: '2026-11-26T02:00:00Z',
        by: 'ana',
        what: 'a shadow',
        reason: '',
        diffs: [],
        state: 'stable aaaaaaaa 100 %, shadow cccccccc 100 %'
      },
      {
        revision: 1,
        at: '2026-11-26T01:00:00Z',
        by: 'ana',
        what: 'the first',
        reason: '',
        diffs: [],
        state: 'stable aaaaaaaa alone, 100 %'
      }
    ],
    tolerance: null,
    absolute_tolerance: null,
    segments: [],
    ...given
  };
}

export const PREVIEW: Preview = {
  title: 'Promote clf:ccccccccdddd',
  revision: 2,
  rows: [{ tag: SHADOW.tag, before: 'shadow 100 %', after: 'stable 100 %' }],
  notes: ['Without traffic, stopped: clf:aaaaaaaabbbb.'],
  asks: true,
  evidence: [{ role: 'shadow', verdict: 'differs', reason: 'The two agree on 94 % of 500 rows.' }]
};

export function job(given: Partial<Job> = {}): Job {
  return {
    id: 'j1',
    verb: 'traffic',
    title: 'traffic of clf',
    endpoint: 'clf',
    request: {},
    state: 'done',
    interpreter: '',
    asked: null,
    notebook: null,
    kernel: null,
    pid: null,
    number: 0,
    steps: 0,
    step: '',
    created_at: '2026-11-26T02:00:00Z',
    ended_at: null,
    result: null,
    problem: null,
    ...given
  };
}

/** 412, as the server says it. */
export const stale = problemError({ code: 'stale', title: 'Somebody was faster', status: 412 });

/** A model of an endpoint that says what `state.view` is, whose changes are told to `run`. */
export function model(
  state: { view: EndpointView },
  run = vi.fn<ChangeWorld['run']>(async () => Promise.resolve(job()))
): {
  made: EndpointModel;
  run: Mock<ChangeWorld['run']>;
  preview: Mock<ChangeWorld['preview']>;
} {
  const preview = vi.fn<ChangeWorld['preview']>(async () => Promise.resolve(PREVIEW));
  const made = new EndpointModel('clf', async () => Promise.resolve(state.view), { preview, run });
  return { made, run, preview };
}

export function services(given: Partial<Services> = {}): Services {
  const rendermime = new RenderMimeRegistry({ initialFactories: standardRendererFactories });
  const unasked = (what: string) => async (): Promise<never> =>
    Promise.reject(new Error(`asked for ${what}`));
  return {
    trans: nullTranslator.load('nbdeploy'),
    renderer: labRenderer(rendermime),
    view: unasked('a view'),
    call: unasked('a verb'),
    job: unasked('a job'),
    fields: unasked('fields'),
    endpoint: () => {
      throw new Error('asked for an endpoint');
    },
    deploy: vi.fn(),
    compare: vi.fn(),
    findModel: vi.fn(),
    publish: vi.fn(),
    runVerb: vi.fn(),
    openTab: vi.fn(),
    linkTo: (name, section) => `http://lab/${name}/${section}`,
    openReport: vi.fn(),
    openNotebook: async () => Promise.resolve(true),
    fetchFile: vi.fn(),
    insertCell: () => true,
    copy: async () => Promise.resolve(true),
    say: vi.fn(),
    ...given
  };
}

export function shown(element: React.ReactElement, given: Partial<Services> = {}): RenderResult {
  return render(<ServicesProvider value={services(given)}>{element}</ServicesProvider>);
}
