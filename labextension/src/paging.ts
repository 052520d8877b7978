/** Pages of records, newest first, as one list that grows at both ends. */
import type { RecordRow, RecordsView } from './generated';

/** More than this is not kept: whoever looks for older ones filters. */
export const MOST_KEPT = 20_000;

export interface Pages {
  readonly rows: readonly RecordRow[];
  readonly total: number;
  /** Where the next page begins; null: that was all. */
  readonly next: string | null;
  /** What the records do not hold, in words. */
  readonly notes: readonly string[];
}

export const NO_PAGES: Pages = { rows: [], total: 0, next: null, notes: [] };

/** The page that follows what is there. */
export function withOlder(pages: Pages, page: RecordsView): Pages {
  const known = new Set(pages.rows.map(row => row.key));
  const rows = [...pages.rows, ...page.records.filter(row => !known.has(row.key))];
  const next = rows.length >= MOST_KEPT ? null : page.next;
  return { rows, total: page.total, next, notes: page.notes };
}

/**
 * The newest page before what is there. Where they do not meet, since more came than one page
 * holds, or something was purged, the newest page alone is right.
 */
export function withNewer(pages: Pages, page: RecordsView): Pages {
  const first = pages.rows[0];
  const at = first ? page.records.findIndex(row => row.key === first.key) : -1;
  if (at < 0 || page.total < pages.total) {
    return { rows: page.records, total: page.total, next: page.next, notes: page.notes };
  }
  if (at === 0) return page.total === pages.total ? pages : { ...pages, total: page.total };
  const rows = [...page.records.slice(0, at), ...pages.rows];
  return {
    rows: rows.slice(0, MOST_KEPT),
    total: page.total,
    next: pages.next,
    notes: page.notes
  };
}
