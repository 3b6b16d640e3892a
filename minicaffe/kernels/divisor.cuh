// i / d and i % d for a d that stays the same, by a product: an integer division takes some 25 instructions, and where an
// element needs several to know its place they, not memory, set the time.  Make a Divisor in front of the loop.
struct Divisor {
  int value;
  unsigned inverse;  // 2^32 / value, too small by less than 1 + 1 / value

  // The geometry of an array without elements may say 0.
  __device__ explicit Divisor(int value) : value(value), inverse(0xffffffffu / max(value, 1)) {}
};

// For 0 <= i < 2^31 the product is too small by less than 1 / 2: its whole part by 1 at most.
__device__ int operator/(int i, const Divisor& d) {
  const int quotient = __umulhi(i, d.inverse);
  return i - quotient * d.value >= d.value ? quotient + 1 : quotient;
}

__device__ int operator%(int i, const Divisor& d) { return i - i / d * d.value; }
