import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import type { Job, JobEvent } from '../src/generated';
import { JobsModel } from '../src/jobs';
import { EventStream } from '../src/transport/stream';
import { Line, Server } from './server';

function job(id: string, state: Job['state'] = 'running', given: Partial<Job> = {}): Job {
  return {
    id,
    verb: 'deploy',
    title: `deploy ${id}`,
    endpoint: null,
    request: {},
    state,
    interpreter: '',
    asked: null,
    notebook: null,
    kernel: null,
    pid: null,
    number: 0,
    steps: 0,
    step: '',
    created_at: `2026-11-26T00:00:0${id}Z`,
    ended_at: null,
    result: null,
    problem: null,
    ...given
  };
}

function event(id: number, of: string, kind: JobEvent['kind'], data: object): JobEvent {
  return { id, job: of, at: '', kind, data: data as JobEvent['data'] };
}

describe('JobsModel', () => {
  let line: Line;
  let server: Server;
  let stream: EventStream;
  let jobs: JobsModel;
  beforeEach(() => {
    line = new Line();
    server = new Server({
      'GET events': () => line.response,
      'GET jobs': () => Response.json([job('1'), job('2', 'done')])
    });
    stream = new EventStream(server.transport);
    jobs = new JobsModel(stream, server.transport);
  });
  afterEach(() => {
    jobs.dispose();
    stream.dispose();
  });

  async function connected(): Promise<void> {
    stream.start();
    await vi.waitFor(() => {
      expect(jobs.all.length).toBe(2);
    });
  }

  it('knows the latest jobs once it is connected, newest first', async () => {
    await connected();
    expect(jobs.all.map(one => one.id)).toEqual(['2', '1']);
    expect(jobs.active.map(one => one.id)).toEqual(['1']);
  });

  it('gives the same array until something changes', async () => {
    await connected();
    expect(jobs.all).toBe(jobs.all);
    expect(jobs.events('1')).toBe(jobs.events('1'));
  });

  it('starts a slow verb as a job, with the revision it is based on', async () => {
    server.routes['POST traffic'] = () => Response.json(job('3', 'queued'), { status: 202 });
    const started = await jobs.start('traffic', { name: 'a', shadow: {} }, 4);
    expect('job' in started && started.job.id).toBe('3');
    const asked = server.asked.find(request => request.method === 'POST');
    expect(asked?.headers.get('If-Match')).toBe('"4"');
    expect(jobs.get('3')?.state).toBe('queued');
  });

  it('returns the result of a fast verb', async () => {
    server.routes['POST init'] = () => Response.json({ folder: '/x' });
    expect(await jobs.start('init', {})).toEqual({ result: { folder: '/x' } });
  });

  it('follows steps and the end', async () => {
    await connected();
    const ended = jobs.ended('1');
    line.send('job', event(5, '1', 'step', { number: 2, total: 6, title: 'build' }), 5);
    await vi.waitFor(() => {
      expect(jobs.get('1')).toMatchObject({ number: 2, steps: 6, step: 'build' });
    });
    line.send('job', event(6, '1', 'state', job('1', 'done', { result: { tag: 'x' } })), 6);
    expect((await ended).result).toEqual({ tag: 'x' });
  });

  it('keeps an end although something older arrives later', async () => {
    await connected();
    line.send('job', event(9, '2', 'state', job('2', 'running')), 9);
    line.send('job', event(10, '1', 'step', { number: 1, total: 2, title: 'last' }), 10);
    await vi.waitFor(() => {
      expect(jobs.get('1')?.step).toBe('last');
    });
    expect(jobs.get('2')?.state).toBe('done');
  });

  it('has each event once and in order, also if some came by the stream before the load', async () => {
    await connected();
    line.send('job', event(7, '1', 'log', { text: 'b\n' }), 7);
    await vi.waitFor(() => {
      expect(jobs.events('1').length).toBe(1);
    });
    server.routes['GET jobs/1'] = () =>
      Response.json({
        ...job('1'),
        events: [event(3, '1', 'log', { text: 'a\n' }), event(7, '1', 'log', { text: 'b\n' })]
      });
    await jobs.load('1');
    expect(jobs.events('1').map(one => one.id)).toEqual([3, 7]);
  });

  it('keeps the latest news of each run alone, whatever the order in which they come', async () => {
    await connected();
    const told = (id: number, run: number, side: string) =>
      event(id, '1', 'underway', { run, side, cell: id });
    line.send('job', told(8, 0, 'candidate'), 8);
    line.send('job', told(9, 1, 'candidate'), 9);
    line.send('job', told(10, 0, 'stable'), 10);
    line.send('job', told(11, 0, 'candidate'), 11);
    await vi.waitFor(() => {
      expect(jobs.events('1').at(-1)?.id).toBe(11);
    });
    server.routes['GET jobs/1'] = () =>
      Response.json({ ...job('1'), events: [told(7, 0, 'candidate'), event(6, '1', 'log', {})] });
    await jobs.load('1');
    expect(jobs.events('1').map(one => one.id)).toEqual([6, 9, 10, 11]);
  });

  it('loads a job of another client', async () => {
    await connected();
    server.routes['GET jobs/8'] = () => Response.json({ ...job('8'), events: [] });
    line.send('job', event(20, '8', 'step', { number: 1, total: 2, title: 'x' }), 20);
    await vi.waitFor(() => {
      expect(jobs.get('8')?.title).toBe('deploy 8');
    });
  });

  it('cancels', async () => {
    await connected();
    server.routes['DELETE jobs/1'] = () => Response.json(job('1', 'cancelled'));
    await jobs.cancel('1');
    expect(jobs.active).toEqual([]);
  });
});
