/** The panel of a notebook over a comm: the widget's model stands for the kernel. */
import { act, fireEvent, screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, describe, expect, it, vi } from 'vitest';

import { CommTransport, type WidgetModel } from '../src/panel/commTransport';
import panel from '../src/panel/index';
import { page } from '../src/panel/panelRenderer';
import { plainTranslation } from '../src/panel/plainTranslation';
import type { TransportRequest } from '../src/transport/transport';
import { endpoint, job, PREVIEW } from './sidebarWorld';

type Sent = Omit<TransportRequest, 'signal'> & { id: string };

/** A widget's model whose kernel is the test. */
class Model implements WidgetModel {
  readonly sent: Sent[] = [];
  readonly traits: Record<string, unknown> = { name: 'clf', view: endpoint(), problem: null };
  private readonly callbacks = new Map<string, Set<(content: unknown) => void>>();

  get(name: string): unknown {
    return this.traits[name];
  }

  on(event: string, callback: (content: unknown) => void): void {
    this.callbacks.set(event, (this.callbacks.get(event) ?? new Set()).add(callback));
  }

  off(event: string, callback: (content: unknown) => void): void {
    this.callbacks.get(event)?.delete(callback);
  }

  send(content: unknown): void {
    this.sent.push(content as Sent);
  }

  set(name: string, value: unknown): void {
    this.traits[name] = value;
    this.emit(`change:${name}`, undefined);
  }

  emit(event: string, content: unknown): void {
    for (const callback of [...(this.callbacks.get(event) ?? [])]) callback(content);
  }

  get listeners(): number {
    return [...this.callbacks.values()].reduce((sum, one) => sum + one.size, 0);
  }

  answer(path: string, body: unknown, status = 200, type = 'application/json'): void {
    const last = this.sent.findLast(one => one.path === path);
    const headers = { 'Content-Type': type };
    this.emit('msg:custom', { answer: last?.id, status, headers, body: JSON.stringify(body) });
  }
}

const REQUEST: TransportRequest = {
  method: 'GET',
  path: 'jobs',
  query: {},
  body: null,
  revision: null,
  signal: null
};

describe('CommTransport', () => {
  it('resolves a request with its own answer, and rejects with a problem', async () => {
    const model = new Model();
    const [one, other] = [new CommTransport(model), new CommTransport(model)];
    const first = one.request(REQUEST);
    const second = other.request({ ...REQUEST, path: 'list' });
    expect(new Set(model.sent.map(sent => sent.id)).size).toBe(2);
    model.answer('list', { code: 'store' }, 500, 'application/problem+json');
    model.answer('jobs', [1]);
    await expect(first).resolves.toMatchObject({ status: 200, text: '[1]' });
    await expect(second).rejects.toMatchObject({ code: 'store' });
  });

  it('forgets an aborted request', async () => {
    const model = new Model();
    const stop = new AbortController();
    const asked = new CommTransport(model).request({ ...REQUEST, signal: stop.signal });
    stop.abort();
    await expect(asked).rejects.toMatchObject({ name: 'AbortError' });
    model.answer('jobs', []);
  });

  it('passes changes on until it is stopped', async () => {
    const model = new Model();
    const received: unknown[] = [];
    const stop = new AbortController();
    const listener = {
      opened: vi.fn(),
      receive: (event: string, data: string, id: string | undefined) =>
        received.push([event, data, id])
    };
    const ends = new CommTransport(model).listen('', listener, stop.signal);
    expect(listener.opened).toHaveBeenCalled();
    model.emit('msg:custom', { changes: 'id: 7\nevent: endpoints\nda' });
    model.emit('msg:custom', { changes: 'ta: {"clf": 3}\n\n' });
    stop.abort();
    await ends;
    model.emit('msg:custom', { changes: 'id: 8\nevent: endpoints\ndata: {}\n\n' });
    expect(received).toEqual([['endpoints', '{"clf": 3}', '7']]);
  });
});

describe('panel', () => {
  let remove: () => void = () => undefined;
  afterEach(() => {
    act(() => {
      remove();
    });
    document.body.replaceChildren();
  });

  function rendered(model: Model): HTMLElement {
    const el = document.body.appendChild(document.createElement('div'));
    act(() => {
      remove = panel.render({ model, el });
    });
    return screen.getByRole('region', { name: 'Endpoint clf' });
  }

  it('shows the endpoint without a request, and what the kernel sends', () => {
    const model = new Model();
    const region = rendered(model);
    expect(within(region).getByText(/^revision 2/)).toBeVisible();
    expect(model.sent).toEqual([]);
    act(() => {
      model.set('view', endpoint({ revision: 3 }));
    });
    expect(within(region).getByText(/^revision 3/)).toBeVisible();
    act(() => {
      model.set('problem', {
        code: 'store',
        title: 'The store is damaged',
        status: 500,
        errors: []
      });
    });
    expect(screen.getByRole('alert')).toHaveTextContent('may be out of date: The store is damaged');
    act(() => {
      model.set('problem', null);
    });
    expect(screen.queryByRole('alert')).toBeNull();
  });

  it('previews a promotion, and makes it as a job of the revision that was seen', async () => {
    const model = new Model();
    const region = rendered(model);
    await userEvent.click(within(region).getByRole('button', { name: /^Promote/ }));
    expect(JSON.parse(model.sent.at(-1)?.body ?? '')).toMatchObject({ if_revision: 2 });
    act(() => {
      model.answer('views/preview', PREVIEW);
    });
    await userEvent.click(await within(region).findByRole('button', { name: 'Confirm' }));
    expect(model.sent.at(-1)).toMatchObject({ method: 'POST', path: 'promote', revision: 2 });
    const started = job({ state: 'queued' });
    await act(async () => {
      model.answer('promote', started, 202);
      await Promise.resolve();
    });
    const ended = { ...started, state: 'done', result: { revision: 3 } };
    const event = { id: 4, job: started.id, at: '', kind: 'state', data: ended };
    act(() => {
      model.set('view', endpoint({ revision: 3 }));
      model.emit('msg:custom', {
        changes: `id: 4\nevent: job\ndata: ${JSON.stringify(event)}\n\n`
      });
    });
    await vi.waitFor(() => {
      expect(within(region).queryByRole('progressbar')).toBeNull();
    });
    expect(within(region).getByText(/^revision 3/)).toBeVisible();
  });

  it('shows the report of a validation in a frame without rights', async () => {
    const model = new Model();
    const gates = { verdict: 'pass', words: 'gates passed', lines: [], at: '2026-11-26T02:00:00Z' };
    const [stable] = endpoint().cards;
    const card = { ...stable, gates: { ...gates, report: true, forced: false } };
    model.traits.view = endpoint({ cards: [card] as never });
    const region = rendered(model);
    await userEvent.click(within(region).getByText('gates passed'));
    await userEvent.click(within(region).getByRole('button', { name: /^Report on the gates/ }));
    expect(model.sent.at(-1)?.path).toBe('reports/clf/aaaaaaaabbbb');
    act(() => {
      model.answer('reports/clf/aaaaaaaabbbb', '<p>page</p>', 200, 'text/html');
    });
    const frame = await screen.findByTitle('Report of the validation');
    expect(frame).toHaveAttribute('sandbox', '');
    await userEvent.click(within(region).getByRole('button', { name: 'Close' }));
    expect(screen.queryByTitle('Report of the validation')).toBeNull();
  });

  it('keeps the keys of the focused control from JupyterLab, unless Ctrl is held', () => {
    const region = rendered(new Model());
    const slider = within(region).getByRole('slider');
    slider.focus();
    expect(slider).toHaveAttribute('data-lm-suppress-shortcuts');
    fireEvent.keyDown(slider, { key: 'Control', ctrlKey: true });
    expect(slider).not.toHaveAttribute('data-lm-suppress-shortcuts');
    fireEvent.keyUp(slider, { key: 'Control' });
    expect(slider).toHaveAttribute('data-lm-suppress-shortcuts');
  });

  it('leaves nothing behind when its view is removed', () => {
    const model = new Model();
    rendered(model);
    act(() => {
      remove();
    });
    expect(model.listeners).toBe(0);
    expect(document.querySelector('.nbd-Panel')).toBeNull();
  });
});

it('keeps of a page only known tags', () => {
  const made = page(
    '<p class="a" onclick="x()">one <b>two</b><img src=x onerror=y()><a href="javascript:z()">three</a></p><script>no()</script>'
  );
  expect((made as HTMLElement).innerHTML).toBe('<p class="a">one <b>two</b>three</p>');
});

it('fills texts with their values', () => {
  expect(plainTranslation.__('%2 and %1', 'a', 'b')).toBe('b and a');
  expect(plainTranslation._n('%1 row', '%1 rows', 2)).toBe('2 rows');
});
