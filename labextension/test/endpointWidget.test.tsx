import { act, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import * as React from 'react';
import { describe, expect, it, vi } from 'vitest';

import type { ChangeWorld } from '../src/changes';
import type { Job } from '../src/generated';
import type { Section } from '../src/model';
import { problemError } from '../src/transport/request';
import { Endpoint } from '../src/widgets/endpoint/endpoint';
import { ServicesProvider } from '../src/widgets/ui/services';
import { card, endpoint, job, model, services, SHADOW, shown } from './sidebarWorld';

function Held(props: { made: ReturnType<typeof model>['made'] }): React.JSX.Element {
  const [tab, setTab] = React.useState<Section>('releases');
  return <Endpoint model={props.made} tab={tab} onTab={setTab} />;
}

describe('the focus of an endpoint', () => {
  const selected = (): HTMLElement => screen.getByRole('tab', { selected: true });

  it('is at the selected tab when a user opens it, also once more', async () => {
    const { made } = model({ view: endpoint() });
    const part = (openings: number): React.JSX.Element => (
      <Endpoint model={made} tab="releases" onTab={vi.fn()} openings={openings} />
    );
    const { rerender } = shown(part(1));
    expect(await screen.findByRole('tab', { name: 'Releases' })).toHaveFocus();
    screen.getByRole('switch').focus();
    rerender(<ServicesProvider value={services()}>{part(1)}</ServicesProvider>);
    expect(screen.getByRole('switch')).toHaveFocus();
    rerender(<ServicesProvider value={services()}>{part(2)}</ServicesProvider>);
    expect(selected()).toHaveFocus();
  });

  it('stays where it is when a reload shows what was open before', async () => {
    const { made } = model({ view: endpoint() });
    shown(<Endpoint model={made} tab="releases" onTab={vi.fn()} openings={0} />);
    await screen.findAllByRole('article');
    expect(document.body).toHaveFocus();
  });

  it('goes to the tab of a section that was shown by a control which is gone', async () => {
    const { made } = model({ view: endpoint() });
    shown(<Held made={made} />);
    await userEvent.click(await screen.findByRole('button', { name: /^Compare clf/ }));
    expect(screen.getByRole('tab', { name: 'Compare' })).toHaveFocus();
  });
});

describe('an endpoint', () => {
  it('shows its releases, with the requests of each', async () => {
    const gates = {
      verdict: 'fail',
      words: '1 of 2 gates failed',
      lines: ['acc 0.7 is below 0.9'],
      at: '2026-11-26T02:00:00Z',
      forced: true,
      report: true
    };
    const { made } = model({ view: endpoint({ cards: [card(), { ...SHADOW, gates }] }) });
    const openReport = vi.fn();
    shown(<Held made={made} />, { openReport });
    const cards = await screen.findAllByRole('article');
    expect(cards).toHaveLength(2);
    expect(within(cards[0] ?? document.body).getByText('stable 100 %')).toBeInTheDocument();
    expect(within(cards[0] ?? document.body).queryByRole('switch')).toBeNull();
    expect(within(cards[1] ?? document.body).getByText('acc 0.7 is below 0.9')).toBeInTheDocument();
    expect(
      screen.getByRole('img', { name: /Traffic: stable clf:aaaaaaaa 100 %, shadow/ })
    ).toBeInTheDocument();
    await userEvent.click(within(cards[1] ?? document.body).getByText('Open the report'));
    expect(openReport).toHaveBeenCalledWith({ tag: SHADOW.tag }, expect.anything());
  });

  it('has no gap in the levels of its headings', async () => {
    const { made } = model({ view: endpoint() });
    shown(<Held made={made} />);
    await screen.findAllByRole('article');
    for (const tab of ['Releases', 'History']) {
      await userEvent.click(screen.getByRole('tab', { name: tab }));
      const levels = screen.getAllByRole('heading').map(one => Number(one.tagName.slice(1)));
      const jumps = levels.filter((level, i) => level > (levels[i - 1] ?? 1) + 1);
      expect(jumps, `${tab}: ${levels.join()}`).toEqual([]);
    }
  });

  it('keeps the switch as it is until the server has confirmed it', async () => {
    const state = { view: endpoint() };
    let end: (ended: Job) => void = () => undefined;
    const run = vi.fn<ChangeWorld['run']>(async () => new Promise<Job>(resolve => (end = resolve)));
    const { made } = model(state, run);
    shown(<Held made={made} />);
    const toggle = await screen.findByRole('switch', { name: 'Shadow clf:cccccccc' });
    await userEvent.click(toggle);
    expect(toggle).toHaveAttribute('aria-checked', 'true');
    expect(toggle).toHaveAttribute('aria-busy', 'true');
    state.view = endpoint({
      revision: 3,
      cards: [card(), { ...SHADOW, role: 'idle', percent: 0 }]
    });
    await act(async () => {
      end(job());
      await Promise.resolve();
    });
    await waitFor(() => {
      expect(screen.getByRole('switch')).toHaveAttribute('aria-checked', 'false');
    });
    expect(screen.getByRole('switch')).toHaveAttribute('aria-busy', 'false');
  });

  it('sets a shadow’s percent that is typed, and shows a problem', async () => {
    const { made, run } = model({ view: endpoint() });
    shown(<Held made={made} />);
    const percent = await screen.findByLabelText('Percent of requests copied to clf:cccccccc');
    const apply = screen.getByRole('button', {
      name: "Apply the shadow's percent for clf:cccccccc"
    });
    expect(apply).toBeDisabled();
    await userEvent.clear(percent);
    await userEvent.type(percent, '120');
    expect(percent).toHaveAttribute('aria-invalid', 'true');
    expect(apply).toBeDisabled();
    await userEvent.clear(percent);
    await userEvent.type(percent, '25{Enter}');
    expect(run.mock.calls[0]?.slice(0, 3)).toEqual([
      'traffic',
      { shadow: { [SHADOW.tag]: 25 } },
      2
    ]);
  });

  it('shows the effects of a promotion with the comparison, and promotes when confirmed', async () => {
    const { made, run } = model({ view: endpoint() });
    shown(<Held made={made} />);
    const promote = await screen.findByRole('button', { name: 'Promote clf:cccccccc' });
    await userEvent.click(promote);
    const question = await screen.findByRole('dialog', { name: 'Promote clf:ccccccccdddd' });
    expect(question).toContainElement(document.activeElement as HTMLElement);
    expect(question).toHaveTextContent('shadow 100 %→stable 100 %');
    expect(question).toHaveTextContent('The two agree on 94 % of 500 rows.');
    expect(run).not.toHaveBeenCalled();
    await userEvent.type(screen.getByLabelText('Reason (optional)'), 'better{Enter}');
    expect(run.mock.calls[0]?.slice(0, 3)).toEqual([
      'promote',
      { tag: SHADOW.tag, reason: 'better' },
      2
    ]);
    await waitFor(() => {
      expect(screen.queryByRole('dialog', { name: /Promote/ })).toBeNull();
    });
  });

  it('hides the dialog of a change that is being made, and shows its failure again', async () => {
    let end: (ended: Job) => void = () => undefined;
    const run = vi.fn<ChangeWorld['run']>(async () => new Promise<Job>(resolve => (end = resolve)));
    const { made } = model({ view: endpoint() }, run);
    shown(<Held made={made} />);
    await userEvent.click(await screen.findByRole('button', { name: 'Promote clf:cccccccc' }));
    await userEvent.click(await screen.findByRole('button', { name: 'Confirm' }));
    await userEvent.click(screen.getByRole('button', { name: 'Hide' }));
    expect(screen.queryByRole('dialog')).toBeNull();
    expect(screen.getByRole('group', { name: /^Promote/ })).toHaveAttribute('aria-busy', 'true');
    const problem = { code: 'gates_failed', title: 'A gate failed', status: 409, errors: [] };
    await act(async () => {
      end(job({ state: 'failed', problem } as never));
      await Promise.resolve();
    });
    expect(await screen.findByRole('alert')).toHaveTextContent('Failed: Promote clf:ccccccccdddd');
    await userEvent.click(screen.getByRole('button', { name: 'Show' }));
    expect(screen.getByRole('dialog')).toHaveTextContent('A gate failed');
    await userEvent.keyboard('{Escape}');
    expect(screen.queryByRole('dialog')).toBeNull();
    expect(made.changes.pending).toBeNull();
  });

  it('offers a rollback the earlier states, and previews the chosen one', async () => {
    const view = endpoint({ revision: 3, previous: 2 });
    const [second, first] = view.history;
    const third = { ...second, revision: 3, state: 'stable cccccccc alone, 100 %' };
    const { made, preview } = model({
      view: { ...view, history: [third, second, first] as never }
    });
    shown(<Held made={made} />);
    await userEvent.click(await screen.findByRole('button', { name: 'Roll back…' }));
    const offered = await screen.findByRole('group', { name: 'Back to' });
    expect(within(offered).getByRole('radio', { name: /default/ })).toBeChecked();
    const other = within(offered).getByRole('radio', { name: /^stable aaaaaaaa alone, 100 %/ });
    await userEvent.click(other);
    expect(preview).toHaveBeenLastCalledWith('rollback', { to: 1 }, 3);
    expect(await screen.findByRole('button', { name: 'Confirm' })).toBeVisible();
    expect(screen.getByRole('radio', { name: /^stable aaaaaaaa alone/ })).toBeChecked();
  });

  it('gives the focus back when the question is given up by Escape', async () => {
    const { made } = model({ view: endpoint() });
    shown(<Held made={made} />);
    const promote = await screen.findByRole('button', { name: 'Promote clf:cccccccc' });
    await userEvent.click(promote);
    await screen.findByRole('dialog', { name: 'Promote clf:ccccccccdddd' });
    await userEvent.keyboard('{Escape}');
    await waitFor(() => {
      expect(promote).toHaveFocus();
    });
  });

  it('shows the author of a newer revision as text', async () => {
    const { made } = model({ view: endpoint() });
    shown(<Held made={made} />);
    await userEvent.click(await screen.findByRole('button', { name: 'Promote clf:cccccccc' }));
    await screen.findByText(/^Preview:/);
    const row = { ...endpoint().history[0], revision: 3, by: 'ben', what: '<b>bold</b> 😀' };
    act(() => {
      made.changes.checkRevision(endpoint({ revision: 3, history: [row as never] }));
    });
    expect(screen.getByRole('alert')).toHaveTextContent('revision 3, you saw revision 2');
    expect(screen.getByText(/<b>bold<\/b> 😀/)).toBeInTheDocument();
  });

  it('moves between its tabs by the arrows', async () => {
    const { made } = model({ view: endpoint() });
    shown(<Held made={made} />);
    const first = await screen.findByRole('tab', { name: 'Releases' });
    first.focus();
    await userEvent.keyboard('{End}');
    expect(screen.getByRole('tab', { name: 'History' })).toHaveFocus();
    expect(screen.getByRole('tab', { name: 'History' })).toHaveAttribute('aria-selected', 'true');
    await userEvent.click(screen.getByRole('button', { name: 'Go back to revision 1' }));
    expect(await screen.findByText(/^Preview:/)).toBeInTheDocument();
  });

  it('shows that it was removed, with a way back', async () => {
    const { made } = model({ view: endpoint() });
    const onGone = vi.fn();
    shown(<Endpoint model={made} tab="releases" onTab={vi.fn()} onGone={onGone} />);
    await screen.findAllByRole('article');
    const unknown = problemError({
      code: 'unknown_endpoint',
      title: 'No such endpoint',
      status: 404
    });
    Object.assign(made, { _fetch: async () => Promise.reject(unknown) });
    await act(async () => made.refresh().catch(() => undefined));
    await userEvent.click(screen.getByRole('button', { name: 'All endpoints' }));
    expect(onGone).toHaveBeenCalled();
  });

  it('keeps the last view while the server does not answer', async () => {
    const { made } = model({ view: endpoint() });
    shown(<Held made={made} />);
    await screen.findAllByRole('article');
    const away = problemError({
      code: 'unreachable',
      title: 'The Jupyter server does not answer.'
    });
    Object.assign(made, { _fetch: async () => Promise.reject(away) });
    await act(async () => made.refresh().catch(() => undefined));
    expect(screen.getByRole('alert')).toHaveTextContent('The data below may be out of date');
    expect(screen.getAllByRole('article')).toHaveLength(2);
    expect(screen.queryByText('healthy')).toBeNull();
    expect(screen.getAllByText('last known: healthy')).toHaveLength(3);
  });

  it('that is stopped offers to start it again', async () => {
    const { made, preview } = model({ view: endpoint({ running: false, words: 'stopped' }) });
    shown(<Held made={made} />);
    await userEvent.click(await screen.findByRole('button', { name: 'Start again…' }));
    expect(preview).toHaveBeenCalledWith('rollback', {}, 2);
  });

  it('offers to publish each release, and shows where one is published', async () => {
    const place = 'registry.example/clf:aaaaaaaabbbb';
    const { made } = model({ view: endpoint({ cards: [card({ published: [place] }), SHADOW] }) });
    const publish = vi.fn();
    shown(<Held made={made} />, { publish });
    expect(await screen.findByText(place)).toBeInTheDocument();
    await userEvent.click(screen.getByRole('button', { name: 'Publish clf:aaaaaaaa' }));
    expect(publish).toHaveBeenLastCalledWith('clf', 'clf:aaaaaaaabbbb');
    await userEvent.click(screen.getByRole('button', { name: 'Publish clf:cccccccc' }));
    expect(publish).toHaveBeenLastCalledWith('clf', SHADOW.tag);
  });

  it('opens the notebook of a release, or shows that it is elsewhere', async () => {
    const { made } = model({ view: endpoint({ cards: [card()] }) });
    const openNotebook = vi.fn(async () => Promise.resolve(false));
    shown(<Held made={made} />, { openNotebook });
    await userEvent.click(await screen.findByRole('button', { name: 'train.ipynb' }));
    expect(openNotebook).toHaveBeenCalledWith('/home/ana/work/train.ipynb');
    expect(await screen.findByText(/not in the folder that this server shows/)).toBeInTheDocument();
  });
});
