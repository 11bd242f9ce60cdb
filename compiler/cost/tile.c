/* tile: what a matrix product costs on the machine's registers. A tile of r rows and v vectors does r*v multiply-adds
   for r + v loads a step of k; the best one is found by trying all that fit in the registers with the ends of M and N
   counted in. Scheduling takes the tile, passes compare alternatives by its cycles. */
#include "cost/cost.h"

enum { MAX_TILE_VECTORS = 4 };

/* Rows that fit beside `vectors` columns: accumulators, one vector of B for each column, one broadcast. */
static int rows_that_fit(int registers, int vectors) {
    static const int of_32[] = {0, 14, 12, 8, 6}, of_16[] = {0, 8, 6, 4, 2};
    return registers >= 32 ? of_32[vectors] : of_16[vectors];
}

/* Cycles of one step of k for one tile: two multiply-adds a cycle, a latency of four, and what measurements of many
   tiles add: a part of the loads, broadcasts that only one multiply-add uses, and the panel's way from L2, which rows
   share. */
static double tile_cycles(int64_t rows, int64_t vectors, bool panel_in_l1) {
    if (rows == 0 || vectors == 0) return 0;
    double cycles = (double)(rows * vectors) / 2;
    if (cycles < 2) cycles = 2; /* short tiles split k over more accumulators, which leaves about this */
    cycles += 0.6 + 0.1 * (double)(rows + vectors);
    if (vectors == 1) cycles += 0.08 * (double)rows;
    if (panel_in_l1) return cycles;
    double from_l2 = 1.4 * (double)vectors; /* 64 bytes each */
    return 0.3 + (cycles > from_l2 ? cycles : from_l2);
}

/* Of one tile but for the steps: its epilogue and the loop around it, in steps of k. */
static double tile_overhead(int64_t rows, int64_t vectors, int64_t k) {
    return (12 + (double)(rows * vectors)) / (double)k;
}

CostTile cost_tile(const Machine *machine, int lanes, int64_t m, bool m_is_const, int64_t n, int64_t k) {
    int64_t vectors = (n + lanes - 1) / lanes;
    CostTile best = {0};
    for (int v = 1; v <= MAX_TILE_VECTORS && v <= vectors; v++) {
        int most_rows = rows_that_fit(machine->vector_registers, v);
        bool panel_in_l1 = k * (m > 1 ? v * lanes : n) * 4 <= 32 * 1024; /* a single row reads each panel once */
        for (int r = 1; r <= most_rows && (r <= m || !m_is_const); r++) {
            if (!m_is_const && r != most_rows) continue; /* a run-time rest is done in smaller tiles whatever r is */
            int64_t full_m = m / r, rest_m = m % r, full_n = vectors / v, rest_n = vectors % v;
            double cycles = 0;
            for (int corner = 0; corner < 4; corner++) {
                int64_t rows = corner & 1 ? rest_m : r, columns = corner & 2 ? rest_n : v;
                int64_t times = (corner & 1 ? rest_m > 0 : full_m) * (corner & 2 ? rest_n > 0 : full_n);
                cycles += (double)times * (tile_cycles(rows, columns, panel_in_l1) + tile_overhead(rows, columns, k));
            }
            if (best.rows == 0 || cycles < best.cycles * 0.999) best = (CostTile){r, v, cycles};
        }
    }
    best.cycles *= (double)k;
    return best;
}

double cost_product(const Machine *m, DType dtype, int64_t rows, int64_t columns, int64_t depth) {
    int lanes = m->vector_bits / dtype_info(dtype)->bits;
    if (lanes < 1 || rows < 1 || columns < 1 || depth < 1) return 0;
    CostTile tile = cost_tile(m, lanes, rows, true, columns, depth);
    double cycles_per_ns = m->gflops * 32 / (4.0 * m->vector_bits); /* two multiply-adds of f32 a cycle */
    double size = dtype_info(dtype)->bits / 8.0, moved = (double)rows * (double)(depth + columns) * size,
           weights = (double)columns * (double)depth * size;
    /* Weights come from far whatever their size, since those of all products pass through the caches in a run. */
    double compute = tile.cycles / cycles_per_ns, traffic = weights / m->l3_gbs + moved / m->l2_gbs;
    return compute > traffic ? compute : traffic;
}
