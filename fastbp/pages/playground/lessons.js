// Lessons: one for each question of the report, and some for what it met on the way. `a` is what network A
// has other than BASE, `b` what B has other than A; without `b` there is one network. `powers`, `zoom` and
// `most`, the end of the loss axis, say how the curves are shown.

// What the networks of lessons have if nothing else is said.
const BASE = {
  hidden: [32], activation: "relu", initialization: "he", batchSize: 32, learningRate: 0.1,
  schedule: "linear", epochs: 5, momentum: 0, l2: 0, dropout: 0, augment: "none", seed: 1,
};

const LESSONS = [
  {
    name: "first", title: "What does training change?",
    a: { hidden: [32], epochs: 15 },
    text: "A network with one hidden layer of 32 units starts from random weights and guesses. Each "
      + "update takes a few digits, finds by backpropagation how each weight changes the loss, and "
      + "moves all weights a little downhill. After some hundred updates it reads most digits that it"
      + " has never seen.",
    look: "the loss, which falls fast and then slowly, and the images of the weights, which turn from "
      + "noise into strokes.",
    report: "784-100-10 reads 97.2 % of MNIST's test digits after 100 epochs on 54,000 digits.",
  },
  {
    name: "zeros", title: "Initialisation: why not start from zeros?",
    a: { hidden: [32, 32], epochs: 8 }, b: { initialization: "zeros" },
    text: "A starts from random weights (He), B from zeros. With zeros every hidden unit puts out 0, "
      + "and the gradient of every weight is a product with one of these zeros. B's loss falls to "
      + "2.30, that of guessing among ten classes, and stays there.",
    look: "B's images, which stay empty, and its gradients, which are 0 in both hidden layers.",
    report: "Zeros do not overflow, but they do not learn either: 11.35 %, the share of the most common "
      + "class.",
  },
  {
    name: "uniform", title: "Initialisation: why not from 0\u00a0to\u00a01?",
    a: { hidden: [32, 32], epochs: 8 }, b: { initialization: "uniform" }, powers: true,
    text: "B's weights are drawn evenly between 0 and 1, so none is negative and each layer multiplies "
      + "the signal many times. Its first logits and its loss are above a thousand. The first steps "
      + "are so large that they kill its units, here for good.",
    look: "the loss by powers of ten, and the share of dead units. The last section shows what a naive "
      + "softmax makes of such logits.",
    report: "Uniform (0, 1) in 784-100-100-10 starts with logits of 400,000. With log-sum-exp the run "
      + "continues: 41.6 \u00b1 32.0 % over five seeds.",
  },
  {
    name: "vanishing", title: "Why did deep networks use to be hard to train?",
    a: { hidden: [32, 32, 32, 32], epochs: 6 },
    b: { activation: "logistic", initialization: "xavier" },
    text: "Both have four hidden layers; A has ReLU units, B logistic ones. The slope of the logistic "
      + "function is at most 1/4, and backpropagation multiplies by it in every layer. At the start, "
      + "the gradient of B's first layer is about a hundred times smaller than that of its last one, and "
      + "still twenty times when B ends.",
    look: "the histograms of B's gradients, which move left from layer to layer, while A's stay where "
      + "they are.",
    report: "It uses ReLU throughout. Its formulas for the initial weights matter in the same way: each "
      + "layer multiplies the signal and the gradient.",
  },
  {
    name: "batch-epochs", title: "Mini-batch size: is small better?",
    a: { hidden: [32], batchSize: 8, learningRate: 0.02, schedule: "constant", epochs: 6 },
    b: { batchSize: 128 },
    text: "Both pass over the same digits in the same order at the same learning rate. A updates its "
      + "weights after every 8 digits, B after every 128. After the same number of epochs A is far "
      + "ahead, but it has also made sixteen times as many updates.",
    look: "the curves over epochs; then choose \"over updates\": up to where B ends, it is no worse "
      + "than A.",
    report: "At equal epochs accuracy falls from 97.6 % at mini-batch size 4 to 93.8 % at 128. At equal "
      + "updates the size makes no difference (97.22 to 97.26 %).",
  },
  {
    name: "batch-scaled", title: "Mini-batch size: what if the learning rate follows?",
    a: { hidden: [32], batchSize: 8, learningRate: 0.02, schedule: "constant", epochs: 6 },
    b: { batchSize: 128, learningRate: 0.32 },
    text: "B's mini-batches are sixteen times as large, and now its learning rate is, too. One step of "
      + "B goes about as far as sixteen steps of A, because the mean gradient of more digits is less "
      + "noisy. The curves over epochs nearly coincide.",
    look: "the curves over epochs, then over seconds: how much faster large mini-batches are depends on"
      + " the program.",
    report: "With the learning rate scaled to the mini-batch, all sizes end at 97.22 to 97.24 %. Choose "
      + "the size for speed, and scale the learning rate with it.",
  },
  {
    name: "width", title: "Architecture: does width help?",
    a: { hidden: [8], epochs: 8 }, b: { hidden: [64] },
    text: "A has 8 hidden units, B has 64. Eight units must share all the strokes there are among ten "
      + "digits, so A cannot even fit its training digits. B can, and reads more of the validation "
      + "digits too.",
    look: "the solid curves: A's training accuracy stops where B's goes on. Then try 128 against 64.",
    report: "Width helps, with diminishing returns: 97.5 % for two layers of 100 units, 97.8 % for 200, "
      + "97.8 % for 400, 98.0 % for 800.",
  },
  {
    name: "depth", title: "Architecture: does depth help?",
    a: { hidden: [32], epochs: 8 }, b: { hidden: [32, 32, 32] }, zoom: true, most: 0.5,
    text: "B has three hidden layers of 32 units where A has one. On training digits, B ends well ahead"
      + " of A. Of that lead only a part is left on validation digits: what B has learnt by heart is "
      + "of no use there.",
    look: "the distance between solid and dashed curves, which is larger for B.",
    report: "Two, three and four layers of 100 units end at 97.54, 97.50 and 97.31 %: depth does not help"
      + " here. It makes networks more confident.",
  },
  {
    name: "stopping", title: "Stopping: when has it trained enough?",
    a: { hidden: [64, 64], learningRate: 0.3, schedule: "constant", epochs: 20 },
    zoom: true, most: 0.5,
    text: "This network trains on and on at a constant rate. Its training loss falls towards 0, while "
      + "the validation loss is lowest after a few epochs and then rises: the network grows too sure of "
      + "its mistakes. The validation accuracy does not fall with it, it still rises.",
    look: "the two dashed curves: a criterion that watches the loss would have stopped where the "
      + "accuracy was lower.",
    report: "Patience on the validation loss saves half the time for a tenth of a point. The loss "
      + "overfits, the accuracy does not: if you want accuracy, wait longer.",
  },
  {
    name: "distortions", title: "Distortions: can digits be made up?",
    a: { hidden: [64], learningRate: 0.2, epochs: 20 }, b: { augment: "affine" }, zoom: true,
    text: "In each epoch B sees its training digits shifted, rotated and zoomed anew. That is harder to"
      + " learn, so B's training accuracy is lower. But what it learns holds for more digits than "
      + "those it has seen.",
    look: "the dashed curves: B starts behind and ends ahead. Then draw a digit that leans over.",
    report: "In 30 epochs, 784-800-10 goes from 98.44 % without distortions to 99.19 % with affine ones.",
  },
  {
    name: "rate", title: "When is a learning rate too large?",
    a: { hidden: [32], epochs: 8, schedule: "constant" }, b: { learningRate: 5 },
    text: "Both walk down the same gradient, but B's steps are fifty times as long. It jumps over the "
      + "valley, the loss rises, and the weights swing from one side to the other. ReLU units that "
      + "are thrown below 0 for every digit stay there.",
    look: "B's share of dead units, and the line below the buttons that says what is wrong.",
    report: "Its rate of 0.001 is the opposite: safe, and so small that 100 epochs are needed.",
  },
];
