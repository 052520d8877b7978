/** Icons as elements, in the colour of the text: for bundles with and without JupyterLab's. */
import * as React from 'react';

const line = { stroke: 'currentColor', strokeWidth: 1.3 };
const area = { fill: 'currentColor' };

/** Drawn for 16 × 16. The roles draw the requests that they get: all, a share, a copy, none. */
const SHAPES = {
  check: <path {...line} strokeWidth={1.8} d="m2.8 8.6 3.4 3.4 7-7.6" />,
  copy: (
    <>
      <rect {...line} x="5.5" y="5.5" width="8" height="8.5" rx="1" />
      <path {...line} d="M10.5 5.2V3a1 1 0 0 0-1-1H3.5a1 1 0 0 0-1 1v7a1 1 0 0 0 1 1h1.7" />
    </>
  ),
  stable: (
    <>
      <circle {...line} cx="8" cy="8" r="6" />
      <circle {...area} cx="8" cy="8" r="3.4" />
    </>
  ),
  canary: (
    <>
      <circle {...line} cx="8" cy="8" r="6" />
      <path {...area} d="M8 8V2a6 6 0 0 1 5.7 4.1z" />
    </>
  ),
  shadow: (
    <>
      <circle {...line} cx="6.2" cy="6.2" r="4.4" />
      <path {...line} strokeDasharray="1.2 2" d="M11.6 6.1a4.4 4.4 0 1 1-5.5 5.5" />
    </>
  ),
  idle: <circle {...line} strokeDasharray="2 2" cx="8" cy="8" r="6" />
} as const;

export function Icon(props: { name: keyof typeof SHAPES; size?: number }): React.JSX.Element {
  const { name, size = 16 } = props;
  return (
    <svg
      className="nbd-Icon"
      viewBox="0 0 16 16"
      width={size}
      height={size}
      fill="none"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      {SHAPES[name]}
    </svg>
  );
}
