import { fireEvent, screen, waitFor } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import * as React from 'react';
import { describe, expect, it, vi } from 'vitest';

import type { RecordRow, RecordsView } from '../src/generated';
import { NO_PAGES, withNewer, withOlder } from '../src/paging';
import { problemError } from '../src/transport/request';
import { type Filter, NO_FILTER } from '../src/widgets/records/recordFilters';
import { Records } from '../src/widgets/records/records';
import { card, endpoint, SHADOW, shown } from './sidebarWorld';

function record(key: number, given: Partial<RecordRow> = {}): RecordRow {
  return {
    key: String(key),
    request_id: `r${String(key)}`,
    pair_id: `p${String(key)}`,
    ts: '2026-11-26T02:00:00Z',
    release: 'clf:aaaaaaaabbbb',
    role: 'stable',
    status: 200,
    latency_ms: 3.2,
    rows: 1,
    summary: `{"x": ${String(key)}}`,
    answer: '"yes"',
    difference: null,
    ...given
  };
}

/** Records `first` … `last`, newest first. */
function page(first: number, last: number, total: number, next: string | null = null): RecordsView {
  const records = Array.from({ length: first - last + 1 }, (_, i) => record(first - i));
  return { records, total, next, notes: [] };
}

describe('pages of records', () => {
  it('are put after and before each other, each record once', () => {
    let pages = withOlder(NO_PAGES, page(9, 6, 9, 'c6'));
    pages = withOlder(pages, page(6, 3, 9, 'c3'));
    pages = withNewer(pages, page(11, 8, 11, 'c8'));
    expect(pages.rows.map(one => one.key)).toEqual('11 10 9 8 7 6 5 4 3'.split(' '));
    expect(pages).toMatchObject({ total: 11, next: 'c3' });
  });

  it('begin anew where more came than a page holds, and where some were purged', () => {
    const pages = withOlder(NO_PAGES, page(9, 6, 9, 'c6'));
    expect(withNewer(pages, page(30, 27, 30, 'c27')).rows[0]?.key).toBe('30');
    expect(withNewer(pages, page(30, 27, 30, 'c27')).rows).toHaveLength(4);
    expect(withNewer(pages, page(9, 8, 2)).rows).toHaveLength(2);
  });

  it('stay the same object when nothing is new', () => {
    const pages = withOlder(NO_PAGES, page(9, 6, 9, 'c6'));
    expect(withNewer(pages, page(9, 6, 9, 'c6'))).toBe(pages);
  });
});

describe('the records', () => {
  it('are filtered, and one is opened with all answers', async () => {
    const asked: Record<string, unknown>[] = [];
    const view = async (name: string, request: object): Promise<never> => {
      asked.push({ view: name, ...request });
      const opened = {
        request_id: 'r2',
        pair_id: 'p2',
        ts: '2026-11-26T02:00:00Z',
        rows: 1,
        input: '[{"x": "<script>alert(1)</script>"}]',
        cut: true,
        answers: [
          {
            release: 'clf:a',
            role: 'stable',
            status: 200,
            latency_ms: 3,
            output: '[1]',
            error: '',
            cut: false
          },
          {
            release: 'clf:b',
            role: 'shadow',
            status: 500,
            latency_ms: 4,
            output: '',
            error: 'ValueError: 😀',
            cut: false
          }
        ],
        cell: 'X = 1',
        note: ''
      };
      return Promise.resolve((name === 'record' ? opened : page(2, 1, 2)) as never);
    };
    const insertCell = vi.fn(() => true);
    shown(<Records view={endpoint()} />, { view: view, insertCell });
    await screen.findByText('2 records');
    await userEvent.selectOptions(screen.getByLabelText('Role'), 'shadow');
    await userEvent.type(screen.getByRole('searchbox'), 'abc');
    await waitFor(() => {
      expect(asked.at(-1)).toMatchObject({ view: 'records', role: 'shadow', text: 'abc' });
    });
    fireEvent.click(await screen.findByText('{"x": 2}'));
    expect(await screen.findByText('ValueError: 😀')).toBeInTheDocument();
    expect(screen.getByText(/<script>/)).toBeInTheDocument();
    expect(document.querySelector('script')).toBeNull();
    expect(screen.getByText(/Truncated/)).toBeInTheDocument();
    await userEvent.click(screen.getByRole('button', { name: 'Copy as cell' }));
    expect(insertCell).toHaveBeenCalledWith('X = 1');
    await userEvent.keyboard('{Escape}');
    await waitFor(() => {
      expect(screen.queryByText('ValueError: 😀')).toBeNull();
    });
  });

  it('that could not be read are requested again at once, whatever the scroll position', async () => {
    const asked: unknown[] = [];
    let away = false;
    const view = async (_: string, request: { before?: string }): Promise<never> => {
      asked.push(request.before ?? 'newest');
      if (away) throw problemError({ code: 'unreachable', title: 'nobody answers' });
      const older = request.before === 'c16';
      return Promise.resolve((older ? page(15, 1, 30) : page(30, 16, 30, 'c16')) as never);
    };
    // In jsdom all fifteen rows are in sight, so the older page is asked for at once.
    away = true;
    shown(<Records view={endpoint()} />, { view: view });
    const again = await screen.findByRole('button', { name: 'Refresh' });
    away = false;
    await userEvent.click(again);
    await screen.findByText('{"x": 30}');
    await waitFor(() => {
      expect(asked).toEqual(['newest', 'newest', 'c16']);
    });
  });

  it('with a failed page of older ones request it again', async () => {
    const asked: unknown[] = [];
    let away = true;
    const view = async (_: string, request: { before?: string }): Promise<never> => {
      asked.push(request.before ?? 'newest');
      if (away && request.before)
        throw problemError({ code: 'unreachable', title: 'nobody answers' });
      return Promise.resolve((request.before ? page(15, 1, 30) : page(30, 16, 30, 'c16')) as never);
    };
    shown(<Records view={endpoint()} />, { view: view });
    const list = await screen.findByRole('listbox', { name: 'Records, newest first' });
    list.scrollTop = 400;
    fireEvent.scroll(list);
    const again = await screen.findByRole('button', { name: 'Refresh' });
    expect(asked).toEqual(['newest', 'c16']);
    away = false;
    await userEvent.click(again);
    await waitFor(() => {
      expect(asked).toEqual(['newest', 'c16', 'c16']);
    });
    await waitFor(() => {
      expect(screen.queryByRole('button', { name: 'Refresh' })).toBeNull();
    });
  });

  it('with a failed newest page request it again, also after scrolling', async () => {
    vi.useFakeTimers({ shouldAdvanceTime: true });
    try {
      let [away, count] = [false, 0];
      const view = async (): Promise<never> => {
        count += 1;
        if (away) throw problemError({ code: 'unreachable', title: 'nobody answers' });
        return Promise.resolve(page(30 + count, 1, 30 + count) as never);
      };
      shown(<Records view={endpoint()} />, { view });
      const list = await screen.findByRole('listbox', { name: 'Records, newest first' });
      away = true;
      await vi.advanceTimersByTimeAsync(4000);
      const again = await screen.findByRole('button', { name: 'Refresh' });
      list.scrollTop = 400;
      fireEvent.scroll(list);
      away = false;
      const before = count;
      fireEvent.click(again);
      await waitFor(() => {
        expect(count).toBe(before + 1);
      });
      await waitFor(() => {
        expect(screen.queryByRole('button', { name: 'Refresh' })).toBeNull();
      });
      await vi.advanceTimersByTimeAsync(10_000);
      expect(count).toBe(before + 1); // what is new would move what is read
    } finally {
      vi.useRealTimers();
    }
  });

  it('of an endpoint without requests show the next step', async () => {
    const view = async (): Promise<never> => Promise.resolve(page(0, 1, 0) as never);
    shown(<Records view={endpoint()} />, { view });
    expect(await screen.findByText(/send one with "Try it"/)).toBeInTheDocument();
  });

  it('are filtered by answers that differ, if there is a candidate', async () => {
    const view = vi.fn(async () => Promise.resolve(page(1, 1, 1) as never));
    const one = shown(<Records view={endpoint({ cards: [card()] })} />, { view });
    await screen.findByText('1 record');
    expect(screen.queryByLabelText('Answers')).toBeNull();
    one.unmount();
    shown(<Records view={endpoint({ cards: [card(), SHADOW] })} />, { view });
    await userEvent.selectOptions(await screen.findByLabelText('Answers'), 'answers differ');
    await waitFor(() => {
      expect(view).toHaveBeenLastCalledWith(
        'records',
        expect.objectContaining({ differs: true }),
        expect.anything()
      );
    });
  });

  it('are ordered by difference, and filtered by a column and by alarms; the export too', async () => {
    const different = { ...page(1, 1, 1), records: [record(1, { difference: 0.25 })] };
    const view = vi.fn(async () => Promise.resolve(different as never));
    const call = vi.fn().mockResolvedValue({ file: '/w/clf.csv', rows: 1, bytes: 34 });
    shown(<Records view={endpoint({ cards: [card(), SHADOW] })} />, { view, call });
    await userEvent.selectOptions(await screen.findByLabelText('Answers'), 'differ most first');
    await screen.findByRole('listbox', { name: 'Records, largest difference first' });
    expect(screen.getByText('Δ 0.25')).toBeInTheDocument();
    await userEvent.selectOptions(screen.getByLabelText('Drift alarm'), 'drift alarm');
    const column = screen.getByLabelText('Column and its values, such as age: >=60');
    await userEvent.type(column, 'age: >=60');
    const filters = { differs: true, alarmed: true, where: 'age: >=60' };
    await waitFor(() => {
      expect(view).toHaveBeenLastCalledWith(
        'records',
        { name: 'clf', limit: 100, ...filters, order: 'difference' },
        expect.anything()
      );
    });
    expect(view).not.toHaveBeenCalledWith(
      'records',
      expect.objectContaining({ where: 'age:' }),
      expect.anything()
    );
    await userEvent.click(await screen.findByRole('button', { name: 'Export' }));
    expect(call).toHaveBeenLastCalledWith('logs', expect.objectContaining(filters));
  });

  it('with answers that differ are read again, twice, only after requests', async () => {
    vi.useFakeTimers({ shouldAdvanceTime: true });
    try {
      const view = vi.fn(async () => Promise.resolve(page(1, 1, 1) as never));
      const initial: Filter = { ...NO_FILTER, differs: 'yes' };
      const Counting = (): React.JSX.Element => {
        const [requests, setRequests] = React.useState(5);
        const one = card();
        const counts = one.counts && { ...one.counts, requests };
        return (
          <>
            <button
              onClick={() => {
                setRequests(6);
              }}
            >
              send
            </button>
            <Records view={endpoint({ cards: [{ ...one, counts }] })} initial={initial} />
          </>
        );
      };
      shown(<Counting />, { view });
      await screen.findByText('1 record');
      await vi.advanceTimersByTimeAsync(20_000);
      expect(view).toHaveBeenCalledTimes(2);
      fireEvent.click(screen.getByRole('button', { name: 'send' }));
      await vi.advanceTimersByTimeAsync(20_000);
      expect(view).toHaveBeenCalledTimes(4);
    } finally {
      vi.useRealTimers();
    }
  });

  it('are put on the clipboard where no notebook is open', async () => {
    const view = async (name: string): Promise<never> =>
      Promise.resolve(
        (name === 'record'
          ? { ...record(1), input: '[]', cut: false, answers: [], cell: 'X = 1', note: '' }
          : page(1, 1, 1)) as never
      );
    shown(<Records view={endpoint()} />, { view: view, insertCell: () => false });
    fireEvent.click(await screen.findByText('{"x": 1}'));
    await userEvent.click(await screen.findByRole('button', { name: 'Copy as cell' }));
    expect(await screen.findByText(/No notebook is open: .* clipboard/)).toBeInTheDocument();
  });

  it('are explained by a job, or the reason why not is shown', async () => {
    const opened = {
      ...record(1),
      rows: 2,
      input: '[1]',
      cut: false,
      answers: [],
      cell: '',
      note: ''
    };
    const view = async (name: string): Promise<never> =>
      Promise.resolve(
        (name === 'record'
          ? opened
          : name === 'result_page'
            ? { title: 'Explain', html: '<p>age +0.21</p>' }
            : page(1, 1, 1)) as never
      );
    const problem = {
      code: 'invalid_input',
      title: 'Invalid input',
      status: 422,
      detail: 'the record lacks ssn',
      remedy: 'use the notebook',
      details: '',
      errors: [],
      report: ''
    };
    const job = vi
      .fn()
      .mockResolvedValueOnce({ id: 'j1', state: 'done', problem: null })
      .mockResolvedValueOnce({ id: 'j2', state: 'failed', problem });
    shown(<Records view={endpoint()} />, { view: view, job: job as never });
    fireEvent.click(await screen.findByText('{"x": 1}'));
    fireEvent.change(await screen.findByLabelText('row'), { target: { value: '1' } });
    const explain = screen.getByRole('button', { name: 'Explain this answer' });
    await userEvent.click(explain);
    expect(job).toHaveBeenCalledWith('explain', { name: 'clf', key: record(1).key, row: 1 });
    expect(await screen.findByText('age +0.21')).toBeInTheDocument();
    await userEvent.click(explain);
    expect(await screen.findByText(/the record lacks ssn; use the notebook/)).toBeInTheDocument();
    expect(screen.queryByText('age +0.21')).toBeNull();
  });
});
