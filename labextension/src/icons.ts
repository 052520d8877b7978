import { LabIcon } from '@jupyterlab/ui-components';

/** A package with an arrow upwards. */
export const deployIcon = new LabIcon({
  name: 'nbdeploy:deploy',
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">
  <g fill="none" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round">
    <path class="jp-icon3" stroke="#616161" d="M8 9.4 4 11.6v6L12 22l8-4.4v-6l-4-2.2"/>
    <path class="jp-icon3" stroke="#616161" d="M12 16V2.6M7.8 6.8 12 2.6l4.2 4.2"/>
  </g>
</svg>`
});
