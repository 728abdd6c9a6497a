/**
 * Constants of ITU-T Recommendation G.722 (09/2012), in the fixed-point format of its section 6: a value of 1.0 is
 * 32768 where it is a factor. Table numbers are the Recommendation's.
 */

/** Every second tap of the 24-tap QMF, h[0], h[2] …; the others are the same in reverse order (table 11, × 2^13). */
export const QMF_TAPS = Int32Array.of(3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11);

/** Decision levels of the 60-level quantizer of the lower band, ÷ 8 (table 14, Q6). */
export const Q6_LEVELS = Int32Array.of(
  ...[0, 35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650],
  ...[714, 786, 858, 940, 1023, 1121, 1219, 1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919],
);

/** Outputs of the inverse quantizers of the lower band, by code word: 4, 5 and 6 bits (tables 15 to 17). */
export const QM4 = Int32Array.of(
  ...[0, -20456, -12896, -8968, -6288, -4240, -2584, -1200],
  ...[20456, 12896, 8968, 6288, 4240, 2584, 1200, 0],
);
export const QM5 = Int32Array.of(
  ...[-280, -280, -23352, -17560, -14120, -11664, -9752, -8184],
  ...[-6864, -5712, -4696, -3784, -2960, -2208, -1520, -880],
  ...[23352, 17560, 14120, 11664, 9752, 8184, 6864, 5712],
  ...[4696, 3784, 2960, 2208, 1520, 880, 280, -280],
);
export const QM6 = Int32Array.of(
  ...[-136, -136, -136, -136, -24808, -21904, -19008, -16704],
  ...[-14984, -13512, -12280, -11192, -10232, -9360, -8576, -7856],
  ...[-7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576],
  ...[-3168, -2776, -2400, -2032, -1688, -1360, -1040, -728],
  ...[24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192],
  ...[10232, 9360, 8576, 7856, 7192, 6576, 6000, 5456],
  ...[4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032],
  ...[1688, 1360, 1040, 728, 432, 136, -432, -136],
);

/** Logarithmic multipliers of the lower band, by 4-bit code word (tables 18 and 19: WL, RL42). */
export const LOW_MULTIPLIERS = Int32Array.of(
  ...[-60, 3042, 1198, 538, 334, 172, 58, -30],
  ...[3042, 1198, 538, 334, 172, 58, -30, -60],
);

/** Upper band: outputs of the inverse quantizer and logarithmic multipliers, by 2-bit code word (QM2; WH, RH2). */
export const QM2 = Int32Array.of(-7408, -1616, 7408, 1616);
export const HIGH_MULTIPLIERS = Int32Array.of(798, -214, 798, -214);

/** The decision level of the upper band's quantizer, ÷ 8. */
export const Q2_LEVEL = 564;

/** 2^(11 + i/32): from logarithmic to linear scale factors (table 20, ILB). */
export const ANTILOGARITHMS: Int32Array = Int32Array.from({ length: 32 }, (_, i) =>
  Math.round(2 ** (11 + i / 32)),
);
