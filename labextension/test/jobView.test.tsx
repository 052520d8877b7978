import { act, render, screen, waitFor } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import * as React from 'react';
import { describe, expect, it, vi } from 'vitest';

import type { JobEvent } from '../src/generated';
import { noProgress } from '../src/progress';
import { type ProblemError, problemError } from '../src/transport/request';
import { unreachable } from '../src/transport/restTransport';
import { JobView } from '../src/widgets/jobs/jobView';
import { event, job, trans } from './made/deploying';
import { actions, problem, show } from './made/jobShown';

const step = (number: number, total: number, title: string): JobEvent =>
  event('step', { number, total, title });

describe('a job that goes on', () => {
  it('shows the steps that are done, the present one, and how many are to come', () => {
    show(job({ number: 2, steps: 5, step: 'replaying it' }), [
      step(1, 5, 'capturing the model'),
      step(2, 5, 'replaying it')
    ]);
    expect(screen.getAllByRole('listitem').map(one => one.textContent)).toEqual([
      'Capturing the modeldone0.0 s',
      'Replaying itin progress',
      '3 more steps'
    ]);
    expect(screen.getByText('Replaying it').closest('li')).toHaveAttribute('aria-current', 'step');
    expect(screen.getByRole('progressbar', { name: 'Progress' })).toHaveAttribute('value', '1.5');
    expect(screen.getByText('Step 2 of 5: replaying it')).toBeInTheDocument(); // read aloud
  });

  it('shows the first and the last event of a long step, and the rest on demand', () => {
    show(job({ number: 1, steps: 1, step: 'cell 9' }), [
      step(1, 1, 'running train.ipynb'),
      ...Array.from({ length: 9 }, (_, n) => step(1, 1, `train.ipynb: cell ${String(n + 1)} of 9`))
    ]);
    const list = screen.getByRole('list', { name: 'Steps' });
    expect([...list.children].map(one => one.firstElementChild?.tagName)).toEqual([
      'SPAN',
      'DETAILS',
      'SPAN'
    ]);
    expect(screen.getByText('8 steps in between')).toBeInTheDocument();
    expect(list.lastElementChild).toHaveTextContent('train.ipynb: cell 9 of 9'); // a name stays as it is
  });

  it('shows the leaderboard of a search, whose end keeps the best models', async () => {
    const board = {
      metric: 'accuracy',
      rows: [{ name: 'forest', score: '0.95', trial: 3, trials: 2 }]
    };
    const searching = { number: 2, total: 4, title: 'searching: trial 4', board };
    const { cancel, user } = show(job({ verb: 'automl', number: 2, steps: 4 }), [
      event('step', searching)
    ]);
    expect(screen.getByRole('table', { name: 'Leaderboard' })).toHaveTextContent('forest0.9532');
    await user.click(screen.getByText('End the search…'));
    expect(screen.getByText(/best models so far are trained/)).toBeInTheDocument();
    await user.click(screen.getByText('End search'));
    expect(cancel).toHaveBeenCalledOnce();
    expect(await screen.findByText('End the search…')).toBeEnabled(); // once more stops the job
  });

  it('shows that it waits for its kernel', () => {
    show(job({ state: 'waiting' }));
    expect(screen.getByText(/as soon as it is idle/)).toBeInTheDocument();
  });

  it('shows each validation notebook, escaped', () => {
    const run = {
      run: 0,
      title: '<i>a</i>.ipynb',
      state: 'running',
      cell: 2,
      cells: 4,
      words: 'metric("accuracy", …)',
      side: 'candidate',
      seconds: 0
    };
    show(job(), [event('underway', run)]);
    expect(screen.getByRole('rowheader', { name: '<i>a</i>.ipynb' })).toBeInTheDocument();
    expect(screen.getByText(/cell 2 of 4/)).toHaveTextContent('metric("accuracy", …)');
  });

  it('shows its output', () => {
    show(job(), [event('log', { text: 'one\ntwo\n' })]);
    expect(screen.getByText('Log: 2 lines')).toBeInTheDocument();
    expect(screen.getByLabelText('Log')).toHaveTextContent('one two');
  });

  it('says why nothing is told of it: no answer, a log-in that ended, or what is not allowed', () => {
    const reasons: [ProblemError, RegExp][] = [
      [unreachable('x'), /server does not answer. Reconnecting/],
      [problemError({ code: 'not_signed_in', title: '', status: 403 }), /session .* has expired/],
      [
        problemError({
          code: 'forbidden',
          title: 'not allowed',
          remedy: 'ask somebody',
          status: 403
        }),
        /^Not allowed\. Ask somebody\. The job continues meanwhile\.$/
      ]
    ];
    for (const [away, words] of reasons) {
      const { unmount } = show(job(), [], away);
      expect(screen.getByText(words)).toHaveTextContent('The job continues meanwhile.'.slice(4));
      const logIn = screen.queryByRole('link', { name: 'Log in…' });
      expect(logIn !== null).toBe(away.code === 'not_signed_in');
      unmount();
    }
    show(job({ state: 'done', verb: 'stop' }), [], unreachable('x'));
    expect(screen.queryByText(/Reconnecting/)).toBeNull();
  });

  it('is cancelled after a confirmation', async () => {
    const { cancel, user } = show(job());
    await user.click(screen.getByRole('button', { name: 'Cancel…' }));
    expect(cancel).not.toHaveBeenCalled();
    expect(screen.getByRole('button', { name: 'Stop job' })).toHaveFocus();
    await user.click(screen.getByRole('button', { name: 'Keep running' }));
    expect(screen.getByRole('button', { name: 'Cancel…' })).toHaveFocus();
    await user.click(screen.getByRole('button', { name: 'Cancel…' }));
    await user.keyboard('{Enter}');
    expect(cancel).toHaveBeenCalledTimes(1);
    expect(screen.getByRole('button', { name: 'Stopping…' })).toBeDisabled();
  });

  it('shows why it cannot be cancelled', async () => {
    const { cancel, user } = show(job());
    cancel.mockRejectedValue(new Error('The Jupyter server does not answer.'));
    await user.click(screen.getByRole('button', { name: 'Cancel…' }));
    await user.click(screen.getByRole('button', { name: 'Stop job' }));
    expect(await screen.findByText('The Jupyter server does not answer.')).toBeInTheDocument();
    expect(screen.getByRole('button', { name: 'Cancel…' })).toBeEnabled();
  });
});

const deployment = {
  endpoint: 'churn',
  url: 'http://127.0.0.1:8780/churn',
  public_url: null,
  release: 'churn:0123456789ab',
  role: 'shadow',
  percent: 100,
  changed: true,
  replaced: 'churn:ffffffffffff',
  captured: {
    findings: [
      { check: 'dirty-tree', severity: 'warning', message: 'not committed', remedy: '', cell: null }
    ]
  },
  validation: null
};

describe('a job that has ended', () => {
  it('shows the release, its address, and a link to it', async () => {
    const done = job({ state: 'done', result: deployment });
    const { openEndpoint, user } = show(done);
    expect(screen.getByText(/is/, { selector: '.nbdeploy-did > span' })).toHaveTextContent(
      'churn:01234567 is shadow 100 % of churn in place of churn:ffffffff'
    );
    expect(screen.getByText('http://127.0.0.1:8780/churn/predict')).toBeInTheDocument();
    expect(screen.getByText('1 finding to look at')).toBeInTheDocument();
    await user.click(screen.getByRole('button', { name: 'Copy the URL' }));
    expect(await navigator.clipboard.readText()).toBe('http://127.0.0.1:8780/churn/predict');
    await user.click(screen.getByRole('button', { name: 'Open churn' }));
    expect(openEndpoint).toHaveBeenCalledWith('churn');
    await user.click(screen.getByRole('button', { name: 'Monitor churn' }));
    expect(openEndpoint).toHaveBeenLastCalledWith('churn', 'monitor');
    expect(screen.queryByRole('button', { name: 'Cancel…' })).toBeNull();
  });

  it('another verb shows its result as on all faces', async () => {
    const said = actions();
    said.resultPage.mockResolvedValue({
      title: 'diff',
      html: '<table><td>C: 1.0 -> 0.1</td></table>'
    });
    const done = job({ verb: 'diff', state: 'done', endpoint: null, result: {} });
    render(<JobView job={done} progress={noProgress} away={null} actions={said} trans={trans} />);
    expect(await screen.findByText(/C: 1.0 -> 0.1/)).toBeInTheDocument();
    expect(said.resultPage.mock.calls.map(([one]) => one)).toEqual([done]);
  });

  it('shows why its result cannot be shown', async () => {
    const said = actions();
    said.resultPage.mockRejectedValue(new Error('the server has another version'));
    const done = job({ verb: 'validate', state: 'done', result: {} });
    render(<JobView job={done} progress={noProgress} away={null} actions={said} trans={trans} />);
    expect(await screen.findByText(/cannot be shown: .*another version/)).toBeInTheDocument();
  });

  it('an unchanged model is reported as such', () => {
    const result = { ...deployment, changed: false, replaced: null };
    show(job({ state: 'done', result: result }));
    expect(screen.getByText(/Unchanged:/)).toBeInTheDocument();
  });

  it('refused by gates, it can be forced for a reason', async () => {
    const failed = job({
      state: 'failed',
      problem: problem({ report: '/r.html', details: 'a\nb' })
    });
    const { force, show: shown, openReport, user } = show(failed);
    const next = job({ id: 'j2' });
    force.mockResolvedValue(next);
    expect(screen.getByText('accuracy 0.91 is below 0.95.')).toBeInTheDocument();
    expect(screen.queryByText('Train a better one.')).toBeNull(); // the command line's: here is a button
    await user.click(screen.getByRole('button', { name: 'Show the report' }));
    expect(openReport).toHaveBeenCalledWith(failed);
    const button = screen.getByRole('button', { name: 'Override the gates' });
    expect(button).toBeDisabled();
    await user.type(screen.getByLabelText(/Reason for the override/), ' a customer waits {Enter}');
    expect(force).toHaveBeenCalledWith(failed, 'a customer waits');
    await waitFor(() => {
      expect(shown).toHaveBeenCalledWith('j2');
    });
  });

  it('refused by checks, their findings lead to cells and can be let pass', async () => {
    const finding = {
      check: 'leakage',
      severity: 'error',
      message: 'fitted on the example',
      remedy: '',
      cell: 4,
      waived: null
    };
    const failed = job({
      state: 'failed',
      problem: problem({ code: 'guard_failed', findings: [finding], details: 'the same as text' })
    });
    const said = actions();
    const opened = vi.fn();
    said.cellOpener.mockReturnValue(opened);
    render(<JobView job={failed} progress={noProgress} away={null} actions={said} trans={trans} />);
    const user = userEvent.setup();
    await user.click(screen.getByRole('button', { name: 'In [4]' }));
    expect(opened).toHaveBeenCalledWith(4);
    expect(screen.queryByText('the same as text')).toBeNull();
    await user.click(screen.getByRole('button', { name: 'Waive the checks…' }));
    expect(said.tryAgain).toHaveBeenCalledWith(failed, ['leakage']);
    expect(screen.queryByRole('button', { name: 'Override the gates' })).toBeNull();
  });

  it('a failure shows its message, reason and remedy, and can be tried again', async () => {
    const failed = job({
      state: 'failed',
      problem: problem({ code: 'start_failed', details: 'Traceback …' })
    });
    const { tryAgain, user } = show(failed);
    expect(screen.getByText('Train a better one.')).toBeInTheDocument();
    expect(screen.getByLabelText('Details')).toHaveTextContent('Traceback …');
    await user.click(screen.getByRole('button', { name: 'Try again…' }));
    expect(tryAgain).toHaveBeenCalledWith(failed);
  });

  it('a deploy of a stored snapshot can be tried again, and one without a source cannot', async () => {
    const failed = job({ state: 'failed', problem: problem({ code: 'start_failed' }) });
    const stored = { ...failed, request: { source: 'clf:aaaaaaaabbbb', name: 'clf' } };
    const { tryAgain, user, becomes } = show(stored);
    await user.click(screen.getByRole('button', { name: 'Try again…' }));
    expect(tryAgain).toHaveBeenCalledWith(stored);
    becomes({ ...failed, request: { name: 'clf' } });
    expect(screen.queryByRole('button', { name: 'Try again…' })).toBeNull();
  });

  it('reports that an interrupt of its kernel cancelled it', () => {
    const interrupted = problem({ detail: 'the kernel was interrupted', remedy: 'deploy again' });
    show(job({ state: 'cancelled', problem: interrupted }));
    expect(screen.getByText('The kernel was interrupted. Deploy again.')).toBeInTheDocument();
  });

  it('stops the clock', () => {
    vi.useFakeTimers({ now: Date.parse('2026-11-26T10:00:05Z') });
    try {
      const { becomes } = show(job());
      expect(screen.getByLabelText('Time so far')).toHaveTextContent('0:05');
      act(() => {
        vi.advanceTimersByTime(2000);
      });
      expect(screen.getByLabelText('Time so far')).toHaveTextContent('0:07');
      becomes(job({ state: 'cancelled', ended_at: '2026-11-26T10:00:08Z' }));
      act(() => {
        vi.advanceTimersByTime(60_000);
      });
      expect(screen.getByLabelText('Time so far')).toHaveTextContent('0:08');
    } finally {
      vi.useRealTimers();
    }
  });
});
