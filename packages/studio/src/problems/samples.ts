/** The texts of the presets `characters` and `sentiment`, until a visitor pastes others. Written for Unroll. */

export const SAMPLE_TEXT = `the river runs down to the sea and the sea runs up to the sky.
the rain comes down on the hill and the hill sends the rain to the river.
(what the cloud took from the sea (salt left behind) it gives to the hill.)
the miller asks: "how high is the river?" and the river answers: "as high as the rain."
the miller waits, and the wheel waits, and the corn waits in the sack.
when the rain comes, the wheel turns, and the corn becomes flour, and the flour becomes bread.
(the bread (warm (and round)) goes down to the harbour.)
the sailor asks: "how far is the sea?" and the sea answers: "as far as the sky."
the sailor waits, and the boat waits, and the rope waits on the stone.
when the wind comes, the boat turns, and the rope lets go, and the sea runs up to the sky.
`;

const GOOD = ['good', 'warm', 'clever', 'lovely', 'funny', 'moving', 'brilliant', 'fresh'];
const BAD = ['bad', 'cold', 'dull', 'ugly', 'boring', 'flat', 'terrible', 'stale'];
const THINGS = ['film', 'story', 'book', 'song', 'play', 'ending', 'show', 'cast'];

/** Lines with labels. In some, a "not" reverses the meaning, so that a classifier must remember this word for a few steps. */
export const SAMPLE_LINES = GOOD.flatMap((good, i) => {
  const bad = BAD[i];
  const [a, b, c] = [THINGS[i], THINGS[(i + 3) % 8], THINGS[(i + 5) % 8]];
  return [
    `good\ta ${good} ${a} from start to end`,
    `bad\ta ${bad} ${a} from start to end`,
    `bad\tthe ${b} is not what i would call ${good}`,
    `good\tthe ${b} is not what i would call ${bad}`,
    `good\ti liked the ${c} , it was ${good}`,
    `bad\ti left the ${c} , it was ${bad}`,
    `bad\tthis ${a} was not at all ${good}`,
    `good\tthis ${a} was not at all ${bad}`,
    `good\twhat a ${good} and ${GOOD[(i + 1) % 8]} ${c} !`,
    `bad\twhat a ${bad} and ${BAD[(i + 1) % 8]} ${c} !`,
  ];
}).join('\n');
