import { describe, expect, it, vi } from 'vitest';

import { Changes, type ChangeWorld, onlyCopies } from '../src/changes';
import type { EndpointView, Job } from '../src/generated';
import { card, endpoint, job, PREVIEW, SHADOW, stale } from './sidebarWorld';

function world(given: { run?: () => Promise<Job>; view?: EndpointView; asks?: boolean } = {}) {
  const parts = {
    preview: vi.fn(async () => Promise.resolve({ ...PREVIEW, asks: given.asks ?? true })),
    run: vi.fn<ChangeWorld['run']>(given.run ?? (async () => Promise.resolve(job()))),
    fetchEndpoint: vi.fn<ChangeWorld['fetchEndpoint']>(async () =>
      Promise.resolve(given.view ?? endpoint({ revision: 3 }))
    )
  };
  return { ...parts, changes: new Changes(parts) };
}

describe('a change', () => {
  it('of copies alone is done at once, with the revision that was shown', async () => {
    const { changes, run, preview } = world();
    await changes.propose('traffic', { shadow: { [SHADOW.tag]: 0 } }, endpoint());
    expect(preview).not.toHaveBeenCalled();
    expect(run.mock.calls[0]?.slice(0, 3)).toEqual(['traffic', { shadow: { [SHADOW.tag]: 0 } }, 2]);
    expect(changes.pending).toBeNull();
  });

  it('is confirmed by the view at the revision of its job', async () => {
    const { changes, fetchEndpoint } = world({
      run: async () => Promise.resolve(job({ result: { endpoint: 'clf', revision: 3 } }))
    });
    await changes.propose('traffic', { shadow: { [SHADOW.tag]: 0 } }, endpoint());
    expect(fetchEndpoint.mock.calls).toEqual([[3]]);
    await changes.propose('rollback', {}, endpoint());
    await changes.confirm('');
    expect(fetchEndpoint.mock.calls).toEqual([[3], [3]]);
  });

  it('is one of copies alone only while no client can notice it', () => {
    const shadow = { shadow: { [SHADOW.tag]: 10 } };
    expect(onlyCopies('traffic', shadow, endpoint())).toBe(true);
    expect(onlyCopies('traffic', shadow, endpoint({ running: false }))).toBe(false);
    const canary = endpoint({ cards: [card(), { ...SHADOW, role: 'canary' }] });
    expect(onlyCopies('traffic', shadow, canary)).toBe(false);
    expect(onlyCopies('traffic', { ...shadow, record: 'off' }, endpoint())).toBe(false);
    expect(onlyCopies('promote', { tag: SHADOW.tag }, endpoint())).toBe(false);
  });

  it('that clients notice is shown, and done when it is confirmed', async () => {
    const { changes, run } = world();
    await changes.propose('promote', { tag: SHADOW.tag }, endpoint());
    expect(changes.pending).toMatchObject({ phase: 'preview', evidence: PREVIEW.evidence });
    expect(run).not.toHaveBeenCalled();
    await changes.confirm('no complaints');
    expect(run.mock.calls[0]?.slice(0, 3)).toEqual([
      'promote',
      { tag: SHADOW.tag, reason: 'no complaints' },
      2
    ]);
    expect(changes.pending).toBeNull();
  });

  it('that deletes confirms the deletion, and fetches nothing after it', async () => {
    const { changes, run, fetchEndpoint } = world();
    const said: string[] = [];
    changes.announced.connect((_, what) => void said.push(what));
    await changes.propose('delete', {}, endpoint({ running: false }));
    expect(changes.pending?.phase).toBe('preview');
    await changes.confirm('replaced');
    expect(run.mock.calls[0]?.slice(0, 3)).toEqual([
      'delete',
      { yes: true, reason: 'replaced' },
      2
    ]);
    expect([changes.pending, said]).toEqual([null, ['deleted']]);
    expect(fetchEndpoint).not.toHaveBeenCalled();
  });

  it('that came too late names the newer revisions, and keeps the typed values', async () => {
    const newer = { ...endpoint().history[0], revision: 3, by: 'ben', what: 'another' };
    const view = endpoint({ revision: 3, history: [newer as never, ...endpoint().history] });
    const { changes, preview } = world({ run: async () => Promise.reject(stale), view });
    await changes.propose('promote', { tag: SHADOW.tag }, endpoint());
    await changes.confirm('');
    expect(changes.pending?.phase).toBe('conflict');
    expect(changes.pending?.newer.map(row => row.by)).toEqual(['ben']);
    await changes.previewAgain();
    expect(changes.pending).toMatchObject({ phase: 'preview', revision: 3 });
    expect(preview).toHaveBeenLastCalledWith('promote', { tag: SHADOW.tag }, 3);
  });

  it('that is given up while it is looked at again stays given up', async () => {
    const { changes, fetchEndpoint } = world({ run: async () => Promise.reject(stale) });
    const ends = [
      async () => Promise.resolve(endpoint({ revision: 4 })),
      async () => Promise.reject(new Error('the server is gone'))
    ];
    for (const end of ends) {
      await changes.propose('traffic', { shadow: { [SHADOW.tag]: 0 } }, endpoint());
      expect(changes.pending?.phase).toBe('conflict');
      fetchEndpoint.mockImplementationOnce(end);
      const previewAgain = changes.previewAgain();
      changes.dismiss();
      await previewAgain;
      expect(changes.pending).toBeNull();
    }
  });

  it('of copies is confirmed after a conflict, although clients are not affected', async () => {
    const { changes, run } = world({ run: async () => Promise.reject(stale), asks: false });
    await changes.propose('traffic', { shadow: { [SHADOW.tag]: 0 } }, endpoint());
    expect(changes.pending?.phase).toBe('conflict');
    await changes.previewAgain();
    expect(changes.pending?.phase).toBe('preview');
    expect(run).toHaveBeenCalledTimes(1);
  });

  it('in a preview becomes a conflict when another client changes the endpoint', async () => {
    const { changes } = world();
    await changes.propose('promote', { tag: SHADOW.tag }, endpoint());
    changes.checkRevision(endpoint());
    changes.checkRevision(endpoint({ revision: 1 })); // a look that was under way when 2 was saved
    expect(changes.pending?.phase).toBe('preview');
    changes.checkRevision(endpoint({ revision: 3 }));
    expect(changes.pending?.phase).toBe('conflict');
  });

  it('whose job met a newer revision is a conflict too', async () => {
    const problem = { code: 'conflict', title: 'stale', detail: 'stale' };
    const { changes } = world({
      run: async () => Promise.resolve(job({ state: 'failed', problem: problem as never }))
    });
    await changes.propose('traffic', { shadow: { [SHADOW.tag]: 5 } }, endpoint());
    expect(changes.pending?.phase).toBe('conflict');
  });

  it('that gates refused is done all the same for a reason alone', async () => {
    const problem = {
      code: 'gate_failed',
      title: 'No',
      detail: 'acc 0.7',
      errors: [],
      report: '/r'
    };
    const { changes, run } = world({
      run: async () => Promise.resolve(job({ state: 'failed', problem: problem as never }))
    });
    await changes.propose('promote', { tag: SHADOW.tag }, endpoint());
    await changes.confirm('');
    expect(changes.pending?.problem).toMatchObject({
      message: 'acc 0.7',
      gates: true,
      report: 'j1'
    });
    await changes.force('  ');
    expect(run).toHaveBeenCalledTimes(1);
    await changes.force('known');
    expect(run.mock.lastCall?.[1]).toEqual({ tag: SHADOW.tag, reason: 'known', force: true });
  });

  it('that is proposed during another follows it', async () => {
    let end: (ended: Job) => void = () => undefined;
    const { changes, run } = world({
      run: async () => new Promise<Job>(resolve => (end = resolve))
    });
    const first = changes.propose('traffic', { shadow: { [SHADOW.tag]: 0 } }, endpoint());
    await changes.propose('traffic', { shadow: { [SHADOW.tag]: 50 } }, endpoint());
    expect(run).toHaveBeenCalledTimes(1);
    end(job());
    await vi.waitFor(() => {
      expect(run).toHaveBeenCalledTimes(2);
    });
    expect(run.mock.lastCall?.slice(1, 3)).toEqual([{ shadow: { [SHADOW.tag]: 50 } }, 3]);
    end(job());
    await first;
  });

  it('that was to follow one that failed is not done', async () => {
    let fail: (why: Error) => void = () => undefined;
    const run = vi.fn(async () => new Promise<Job>((_, reject) => (fail = reject)));
    const { changes } = world({ run });
    const first = changes.propose('traffic', { shadow: { [SHADOW.tag]: 0 } }, endpoint());
    await changes.propose('traffic', { shadow: { [SHADOW.tag]: 50 } }, endpoint());
    fail(new Error('the gateway has gone'));
    await first;
    expect(run).toHaveBeenCalledTimes(1);
    expect(changes.pending).toMatchObject({ phase: 'failed' });
    expect(changes.pending?.problem?.message).toBe('the gateway has gone');
  });
});
