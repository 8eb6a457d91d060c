// Products of groups of four warps (sm_90a) beyond multiplyGroup of tensorcore.cuh: any number of
// columns, sums that begin anew, and a left operand in registers whose product's right operand lies
// with its columns, not its depth, along the rows. By the PTX ISA, "Asynchronous warpgroup level
// matrix instructions". For code that only HasGroups runs.

/// An operand in shared memory, of swizzled rows of 128 bytes: from `start` on, a multiple of 1024,
/// with blocks of rows that are `block` bytes apart. It can be moved: by multiples of 32 bytes
/// within the rows, of 1024 from rows to rows.
struct GroupOperand;

/// Keeps what a group's products read or write in its registers up to here: the machine uses them
/// until waitForGroup.
template <int N, class V> NNC_INLINE void holdGroup(V (&values)[N][4]);

/// sums += a * b or, with Adds false, sums = a * b: of 64 rows of `a` and 8 * Columns rows of `b`
/// over 32 bytes of the depth from where both operands begin. Columns is even. As multiplyGroup.
template <class T, bool Adds, int Columns>
NNC_INLINE void multiplyGroupRows(float (&sums)[Columns][4], GroupOperand a, GroupOperand b);

/// sums += a * b, over 16 of the depth: each warp has its 16 rows of `a` in registers, as
/// multiplyAdd wants them, and row k of `b` holds the columns of depth k: 64 of them in 128 bytes,
/// swizzled, the next 64 in another block.
template <class T, int Columns>
NNC_INLINE void multiplyGroupColumns(float (&sums)[Columns][4], const unsigned (&a)[4],
                                     GroupOperand b);

#ifdef __CUDACC__
#ifdef __CUDA_ARCH_FEAT_SM90_ALL

NNC_INLINE void holdRegister(float &value) { asm volatile("" : "+f"(value)::"memory"); }
NNC_INLINE void holdRegister(unsigned &value) { asm volatile("" : "+r"(value)::"memory"); }
template <int N, class V> NNC_INLINE void holdGroup(V (&values)[N][4]) {
  NNC_UNROLL
  for (int i = 0; i < N; ++i) {
    NNC_UNROLL
    for (int part = 0; part < 4; ++part)
      holdRegister(values[i][part]);
  }
}

struct GroupOperand {
  unsigned long long description;
  GroupOperand() = default;
  NNC_INLINE GroupOperand(const char *start, int block)
      : description(describeOperand(start, 0) & ~(0x3fffull << 16) |
                    (unsigned long long)(block >> 4) << 16) {}
  NNC_INLINE GroupOperand movedBy(int bytes) const {
    GroupOperand moved;
    moved.description = description + (unsigned)(bytes >> 4);
    return moved;
  }
};

// By the number of columns: the places of the sums in an instruction, and the sums.
#define NNC_PLACES2 "%0, %1, %2, %3, %4, %5, %6, %7"
#define NNC_PLACES4 NNC_PLACES2 ", %8, %9, %10, %11, %12, %13, %14, %15"
#define NNC_PLACES6 NNC_PLACES4 ", %16, %17, %18, %19, %20, %21, %22, %23"
#define NNC_PLACES8 NNC_PLACES6 ", %24, %25, %26, %27, %28, %29, %30, %31"
#define NNC_PLACES10 NNC_PLACES8 ", %32, %33, %34, %35, %36, %37, %38, %39"
#define NNC_PLACES12 NNC_PLACES10 ", %40, %41, %42, %43, %44, %45, %46, %47"
#define NNC_PLACES14 NNC_PLACES12 ", %48, %49, %50, %51, %52, %53, %54, %55"
#define NNC_PLACES16 NNC_PLACES14 ", %56, %57, %58, %59, %60, %61, %62, %63"
#define NNC_PLACES18 NNC_PLACES16 ", %64, %65, %66, %67, %68, %69, %70, %71"
#define NNC_PLACES20 NNC_PLACES18 ", %72, %73, %74, %75, %76, %77, %78, %79"
#define NNC_PLACES22 NNC_PLACES20 ", %80, %81, %82, %83, %84, %85, %86, %87"
#define NNC_PLACES24 NNC_PLACES22 ", %88, %89, %90, %91, %92, %93, %94, %95"
#define NNC_PLACES26 NNC_PLACES24 ", %96, %97, %98, %99, %100, %101, %102, %103"
#define NNC_PLACES28 NNC_PLACES26 ", %104, %105, %106, %107, %108, %109, %110, %111"
#define NNC_PLACES30 NNC_PLACES28 ", %112, %113, %114, %115, %116, %117, %118, %119"
#define NNC_PLACES32 NNC_PLACES30 ", %120, %121, %122, %123, %124, %125, %126, %127"
#define NNC_REGISTERS(I) "+f"(sums[I][0]), "+f"(sums[I][1]), "+f"(sums[I][2]), "+f"(sums[I][3])
#define NNC_REGISTERS2 NNC_REGISTERS(0), NNC_REGISTERS(1)
#define NNC_REGISTERS4 NNC_REGISTERS2, NNC_REGISTERS(2), NNC_REGISTERS(3)
#define NNC_REGISTERS6 NNC_REGISTERS4, NNC_REGISTERS(4), NNC_REGISTERS(5)
#define NNC_REGISTERS8 NNC_REGISTERS6, NNC_REGISTERS(6), NNC_REGISTERS(7)
#define NNC_REGISTERS10 NNC_REGISTERS8, NNC_REGISTERS(8), NNC_REGISTERS(9)
#define NNC_REGISTERS12 NNC_REGISTERS10, NNC_REGISTERS(10), NNC_REGISTERS(11)
#define NNC_REGISTERS14 NNC_REGISTERS12, NNC_REGISTERS(12), NNC_REGISTERS(13)
#define NNC_REGISTERS16 NNC_REGISTERS14, NNC_REGISTERS(14), NNC_REGISTERS(15)
#define NNC_REGISTERS18 NNC_REGISTERS16, NNC_REGISTERS(16), NNC_REGISTERS(17)
#define NNC_REGISTERS20 NNC_REGISTERS18, NNC_REGISTERS(18), NNC_REGISTERS(19)
#define NNC_REGISTERS22 NNC_REGISTERS20, NNC_REGISTERS(20), NNC_REGISTERS(21)
#define NNC_REGISTERS24 NNC_REGISTERS22, NNC_REGISTERS(22), NNC_REGISTERS(23)
#define NNC_REGISTERS26 NNC_REGISTERS24, NNC_REGISTERS(24), NNC_REGISTERS(25)
#define NNC_REGISTERS28 NNC_REGISTERS26, NNC_REGISTERS(26), NNC_REGISTERS(27)
#define NNC_REGISTERS30 NNC_REGISTERS28, NNC_REGISTERS(28), NNC_REGISTERS(29)
#define NNC_REGISTERS32 NNC_REGISTERS30, NNC_REGISTERS(30), NNC_REGISTERS(31)

#define NNC_GROUP_PRODUCTS(TYPE, KIND, COLUMNS, WIDTH, P0, P1, P2, P3, P4)                         \
  template <>                                                                                      \
  NNC_INLINE void multiplyGroupRows<TYPE, true, COLUMNS>(float(&sums)[COLUMNS][4], GroupOperand a, \
                                                         GroupOperand b) {                         \
    asm volatile("wgmma.mma_async.sync.aligned.m64n" WIDTH "k16.f32." KIND "." KIND                \
                 " {" NNC_PLACES##COLUMNS "}, %" P0 ", %" P1 ", 1, 1, 1, 0, 0;"                    \
                 : NNC_REGISTERS##COLUMNS                                                          \
                 : "l"(a.description), "l"(b.description)                                          \
                 : "memory");                                                                      \
  }                                                                                                \
  template <>                                                                                      \
  NNC_INLINE void multiplyGroupRows<TYPE, false, COLUMNS>(float(&sums)[COLUMNS][4],                \
                                                          GroupOperand a, GroupOperand b) {        \
    asm volatile("wgmma.mma_async.sync.aligned.m64n" WIDTH "k16.f32." KIND "." KIND                \
                 " {" NNC_PLACES##COLUMNS "}, %" P0 ", %" P1 ", 0, 1, 1, 0, 0;"                    \
                 : NNC_REGISTERS##COLUMNS                                                          \
                 : "l"(a.description), "l"(b.description)                                          \
                 : "memory");                                                                      \
  }                                                                                                \
  template <>                                                                                      \
  NNC_INLINE void multiplyGroupColumns<TYPE, COLUMNS>(float(&sums)[COLUMNS][4],                    \
                                                      const unsigned(&a)[4], GroupOperand b) {     \
    asm volatile("wgmma.mma_async.sync.aligned.m64n" WIDTH "k16.f32." KIND "." KIND                \
                 " {" NNC_PLACES##COLUMNS "}, {%" P0 ", %" P1 ", %" P2 ", %" P3 "}, %" P4          \
                                          ", 1, 1, 1, 1;"                                          \
                 : NNC_REGISTERS##COLUMNS                                                          \
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b.description)                  \
                 : "memory");                                                                      \
  }
#define NNC_GROUP_PRODUCTS_OF(TYPE, KIND)                                                          \
  NNC_GROUP_PRODUCTS(TYPE, KIND, 2, "16", "8", "9", "10", "11", "12")                              \
  NNC_GROUP_PRODUCTS(TYPE, KIND, 4, "32", "16", "17", "18", "19", "20")                            \
  NNC_GROUP_PRODUCTS(TYPE, KIND, 6, "48", "24", "25", "26", "27", "28")                            \
  NNC_GROUP_PRODUCTS(TYPE, KIND, 8, "64", "32", "33", "34", "35", "36")                            \
  NNC_GROUP_PRODUCTS(TYPE, KIND, 10, "80", "40", "41", "42", "43", "44")                           \
  NNC_GROUP_PRODUCTS(TYPE, KIND, 12, "96", "48", "49", "50", "51", "52")                           \
  NNC_GROUP_PRODUCTS(TYPE, KIND, 14, "112", "56", "57", "58", "59", "60")                          \
  NNC_GROUP_PRODUCTS(TYPE, KIND, 16, "128", "64", "65", "66", "67", "68")                          \
  NNC_GROUP_PRODUCTS(TYPE, KIND, 18, "144", "72", "73", "74", "75", "76")                          \
  NNC_GROUP_PRODUCTS(TYPE, KIND, 20, "160", "80", "81", "82", "83", "84")                          \
  NNC_GROUP_PRODUCTS(TYPE, KIND, 22, "176", "88", "89", "90", "91", "92")                          \
  NNC_GROUP_PRODUCTS(TYPE, KIND, 24, "192", "96", "97", "98", "99", "100")                         \
  NNC_GROUP_PRODUCTS(TYPE, KIND, 26, "208", "104", "105", "106", "107", "108")                     \
  NNC_GROUP_PRODUCTS(TYPE, KIND, 28, "224", "112", "113", "114", "115", "116")                     \
  NNC_GROUP_PRODUCTS(TYPE, KIND, 30, "240", "120", "121", "122", "123", "124")                     \
  NNC_GROUP_PRODUCTS(TYPE, KIND, 32, "256", "128", "129", "130", "131", "132")
NNC_GROUP_PRODUCTS_OF(bf16, "bf16")
NNC_GROUP_PRODUCTS_OF(f16, "f16")

#else
struct GroupOperand {
  NNC_INLINE GroupOperand(const char *, int) {}
  NNC_INLINE GroupOperand movedBy(int) const { return *this; }
};
#endif
#else

template <int N, class V> inline void holdGroup(V (&)[N][4]) {}

struct GroupOperand {
  const char *start;
  int offset, block;
  GroupOperand() = default;
  GroupOperand(const char *start, int block) : start(start), offset(0), block(block) {}
  GroupOperand movedBy(int bytes) const {
    GroupOperand moved = *this;
    moved.offset = (offset + bytes) % 128; // within the rows
    moved.start += offset + bytes - moved.offset;
    return moved;
  }
};

template <class T, bool Adds, int Columns>
inline void multiplyGroupRows(float (&sums)[Columns][4], GroupOperand a, GroupOperand b) {
  if constexpr (!Adds)
    for (float(&column)[4] : sums)
      for (float &sum : column)
        sum = 0;
  multiplyGroup<T>(sums, a.start, b.start, a.offset);
}

template <class T, int Columns>
inline void multiplyGroupColumns(float (&sums)[Columns][4], const unsigned (&a)[4],
                                 GroupOperand b) {
  const unsigned lane = nncTwin->linearThread % 32;
  unsigned rows[2][8]; // by the lane's row: pairs of the depth
  for (unsigned half = 0; half < 2; ++half) {
    const NncTwinLanes given(a[half * 2] | (unsigned long long)a[half * 2 + 1] << 32);
    for (unsigned i = 0; i < 4; ++i) {
      rows[0][half * 4 + i] = (unsigned)given[lane / 4 * 4 + i];
      rows[1][half * 4 + i] = (unsigned)(given[lane / 4 * 4 + i] >> 32);
    }
  }
  for (int j = 0; j < Columns; ++j)
    for (int part = 0; part < 4; ++part) {
      const int column = j * 8 + (int)lane % 4 * 2 + part % 2;
      for (int k = 0; k < 16; ++k)
        sums[j][part] += nncTwinPart(T(), rows[part / 2][k / 2], k % 2) *
                         (float)*(const T *)(b.start + column / 64 * b.block +
                                             swizzled(k, column % 64 / 8) + column % 8 * 2);
    }
}

#endif
