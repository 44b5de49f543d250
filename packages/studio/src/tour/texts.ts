/** The texts of the tour. */
import type { Lang } from '../i18n/index.js';

export interface TourText {
  title: string;
  paragraphs: readonly string[];
  /** What the visitor should do or see; empty: nothing. */
  goal: string;
}

const en: readonly TourText[] = [
  {
    title: 'A network that reads step by step',
    paragraphs: [
      'A recurrent network reads one input per time step and keeps a hidden state h. Every column here is the same cell with the same weights.',
      'The problem: add the two marked numbers of a sequence. Move to time step 4 with the slider, or hover over its cell, and read how h is computed from x and the previous h.',
    ],
    goal: 'Select time step 4.',
  },
  {
    title: 'Ten steps are easy',
    paragraphs: [
      'The plain RNN now trains on sequences of 10 steps. Its loss falls below 1/6, which is the loss of a network that ignores the sequence.',
    ],
    goal: 'The loss of the RNN falls below 0.03.',
  },
  {
    title: 'Sixty steps are not',
    paragraphs: [
      'The same RNN now trains on sequences of 60 steps. It learns to predict 1, the mean, and then stays at the dotted line: it does not find out that the marks matter.',
    ],
    goal: 'After 300 updates, the loss is still above 0.1.',
  },
  {
    title: 'The gradient vanishes',
    paragraphs: [
      'Training needs the derivative of the output with respect to the states of early steps. Each step back multiplies it by the recurrent weights and by the slope of tanh, both mostly below 1. The product falls exponentially, which is a straight line on the logarithmic axis.',
      'A mark 50 steps back has almost no effect on the weights.',
    ],
    goal: 'Less than a thousandth of the gradient is left at the largest lag.',
  },
  {
    title: 'Or it explodes',
    paragraphs: [
      'Larger recurrent weights do the opposite. Here, U has a gain of 1.5, and gradients are not clipped. Watch the gradient norm below, and how the loss jumps.',
      'Now move the slider Clipping to 1. Clipping limits the size of each update. It cures explosion, but it cannot bring back a gradient that has vanished.',
    ],
    goal: 'Fifty updates have passed.',
  },
  {
    title: 'Gates',
    paragraphs: [
      'An LSTM does not overwrite its memory at every step. Gates with values between 0 and 1 decide: the input gate i decides what to write, the forget gate f what to keep, and the output gate o what to show.',
      'The marked steps stand out in the input above the maps. While the LSTM trains, look for units whose input gate opens at just these steps.',
    ],
    goal: 'Point at a unit in a map.',
  },
  {
    title: 'The cell state',
    paragraphs: [
      'Look at the equation of c: the new cell state is f·c′ + i·g. With f near 1 and i near 0, the cell state hardly changes. It is a sum, not a product with weights, so its derivative with respect to c′ is f itself.',
      'The biases here start with the chrono initialisation: the forget gates start so far open that the units remember for up to about the length of the sequence.',
    ],
    goal: 'The numbers of the step are substituted in the equations.',
  },
  {
    title: 'Why LSTM remembers',
    paragraphs: [
      'The gradient flow again, now with both cells. The gradient of the LSTM passes through the cell state (dashed) and is multiplied only by forget gates. It still reaches the first steps, where the gradient of the RNN is almost 0.',
    ],
    goal: 'At the largest lag, the LSTM has more than 100 times the gradient of the RNN.',
  },
  {
    title: 'GRU',
    paragraphs: [
      'A GRU has no separate cell state. One update gate z both keeps and writes: h = z·h′ + (1 − z)·h̃. It has three matrices instead of four, so fewer parameters and faster steps.',
      'All cells train with the same seed, data and updates. Compare their losses.',
    ],
    goal: 'The LSTM or the GRU reaches a loss of 0.05.',
  },
  {
    title: 'Choosing, and your own experiment',
    paragraphs: [
      'Start with a GRU, then see whether an LSTM is better on your data. A plain RNN is enough for short memory. Add minGRU for long sequences: its gates do not depend on the state, so all steps can be computed at once.',
      'Choose another problem now: paste a text, or drop a CSV file. Ask how far back the network looks (Influence), and what happens without a unit or a gate (Hidden states).',
    ],
    goal: '',
  },
];

const zh: readonly TourText[] = [
  {
    title: '逐步读取的网络',
    paragraphs: [
      '循环神经网络在每个时间步读入一个输入，并保存一个隐状态 h。图中每一列都是同一个单元，权重完全相同。',
      '任务：求序列中两个被标记数字之和。用滑块移到第 4 步，或把鼠标移到那一格上，看看 h 是怎样由 x 和上一步的 h 算出来的。',
    ],
    goal: '选择第 4 步。',
  },
  {
    title: '十步不难',
    paragraphs: [
      '普通 RNN 正在长度为 10 的序列上训练。它的损失会降到 1/6 以下；1/6 是完全不看序列时的损失。',
    ],
    goal: 'RNN 的损失降到 0.03 以下。',
  },
  {
    title: '六十步就不行了',
    paragraphs: ['同样的 RNN，序列长度为 60。它学会了预测均值 1，然后停在虚线处：它没有发现标记的作用。'],
    goal: '更新 300 次之后，损失仍高于 0.1。',
  },
  {
    title: '梯度消失',
    paragraphs: [
      '训练需要输出对早期状态的导数。每往回一步，导数就要乘上循环权重和 tanh 的斜率，二者大多小于 1。乘积按指数下降，在对数坐标上就是一条直线。',
      '50 步之前的标记几乎不会改变权重。',
    ],
    goal: '在最大间隔处，剩下的梯度不到千分之一。',
  },
  {
    title: '也可能梯度爆炸',
    paragraphs: [
      '循环权重较大时情况相反。这里 U 的增益为 1.5，并且不做裁剪：请看下方的梯度范数，以及损失如何跳动。',
      '现在把“梯度裁剪”滑块移到 1。裁剪限制每次更新的大小，能解决梯度爆炸，但不能找回已经消失的梯度。',
    ],
    goal: '已更新 50 次。',
  },
  {
    title: '门',
    paragraphs: [
      'LSTM 不会在每一步都覆盖记忆。取值在 0 和 1 之间的门作出决定：输入门 i 决定写入什么，遗忘门 f 决定保留什么，输出门 o 决定输出什么。',
      '在热图上方的输入中可以看到被标记的两步。LSTM 训练时，请找一找输入门恰好在这两步打开的隐藏单元。',
    ],
    goal: '在图中指向一个隐藏单元。',
  },
  {
    title: '细胞状态',
    paragraphs: [
      '看 c 的公式：新的细胞状态是 f·c′ + i·g。当 f 接近 1、i 接近 0 时，细胞状态几乎不变。这里是相加，而不是与权重相乘，所以它对 c′ 的导数就是 f。',
      '这里的偏置采用 chrono 初始化：遗忘门一开始就打开，保持的步数与序列长度相当。',
    ],
    goal: '公式中已代入这一步的数值。',
  },
  {
    title: 'LSTM 为什么能记住',
    paragraphs: [
      '再看梯度流，这次有两种单元。LSTM 的梯度经过细胞状态（虚线）传递，每步只乘遗忘门。这一梯度仍能到达最初的几步，而 RNN 的梯度在那里几乎为 0。',
    ],
    goal: '在最大间隔处，LSTM 的梯度是 RNN 的 100 倍以上。',
  },
  {
    title: 'GRU',
    paragraphs: [
      'GRU 没有单独的细胞状态。一个更新门 z 同时负责保留和写入：h = z·h′ + (1 − z)·h̃。它有三组矩阵而不是四组，参数更少，每步更快。',
      '所有单元使用相同的随机种子、数据和更新次数。请比较它们的损失。',
    ],
    goal: 'LSTM 或 GRU 的损失降到 0.05。',
  },
  {
    title: '如何选择，以及你自己的实验',
    paragraphs: [
      '先用 GRU，再看 LSTM 在你的数据上是否更好。只需短期记忆时，普通 RNN 就够了。长序列可以加上 minGRU：它的门不依赖状态，因此所有时间步可以一次算完。',
      '现在换一个任务：粘贴一段文本，或拖入一个 CSV 文件。看看网络能追溯到多远（影响），以及去掉一个隐藏单元或一个门会怎样（隐状态空间）。',
    ],
    goal: '',
  },
];

export const TOUR_TEXTS: Readonly<Record<Lang, readonly TourText[]>> = { en, zh };
