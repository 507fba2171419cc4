// What each op runs on. The table is that of the runtime, which tries each op out; its tests hold the two together.

/** What an op runs on. `gradient` tells of WebGPU; it is missing where an op has none. */
export interface OpSupport {
  op: string;
  cpu: boolean;
  webgpu: boolean;
  gradient?: boolean;
}

/** Op, core, WebGPU, gradient. */
const TABLE = `
  negative yes yes yes
  abs yes yes yes
  sign yes yes yes
  exp yes yes yes
  expm1 yes yes yes
  log yes yes yes
  log1p yes yes yes
  sqrt yes yes yes
  rsqrt yes yes yes
  square yes yes yes
  reciprocal yes yes yes
  sigmoid yes yes yes
  tanh yes yes yes
  relu yes yes yes
  softplus yes yes yes
  floor yes yes yes
  ceil yes yes yes
  round yes yes yes
  sin yes yes yes
  cos yes yes yes
  erf yes yes yes
  atan yes yes yes
  round_to_half yes yes yes
  add yes yes yes
  subtract yes yes yes
  multiply yes yes yes
  divide yes yes yes
  pow yes yes yes
  maximum yes yes yes
  minimum yes yes yes
  floormod yes yes yes
  equal yes yes -
  not_equal yes yes -
  less yes yes -
  less_equal yes yes -
  greater yes yes -
  greater_equal yes yes -
  logical_and yes yes -
  logical_or yes yes -
  logical_not yes yes -
  where yes yes yes
  cast yes yes -
  stop_gradient yes yes yes
  reshape yes yes yes
  transpose yes yes yes
  broadcast_to yes yes yes
  slice yes yes yes
  pad yes yes yes
  concat yes yes yes
  reverse yes yes yes
  gather yes yes yes
  scatter yes yes yes
  matmul yes yes yes
  conv2d yes yes yes
  max_pool2d yes yes yes
  avg_pool2d yes yes yes
  reduce_sum yes yes yes
  reduce_prod yes yes yes
  reduce_max yes yes yes
  reduce_min yes yes yes
  argmax yes yes -
  argmin yes yes -
  recurrence yes yes yes
  argsort yes yes -
  iota yes yes yes
  random yes yes yes
`;

/** The table, a row an op. */
export function report(): OpSupport[] {
  return TABLE.trim().split('\n').map((line) => {
    const [op = '', cpu, webgpu, gradient] = line.trim().split(' ');
    const row: OpSupport = { op, cpu: cpu === 'yes', webgpu: webgpu === 'yes' };
    return gradient === '-' ? row : { ...row, gradient: gradient === 'yes' };
  });
}
