// ldmatrix, plain and transposed, movmatrix and stmatrix of four tiles of 8x8.
!four = !llvm.struct<(i32, i32, i32, i32)>
gpu.module @kernels {
  llvm.mlir.global internal @source() {addr_space = 3 : i32, alignment = 16 : i64} : !llvm.array<256 x i16>
  llvm.mlir.global internal @target() {addr_space = 3 : i32, alignment = 16 : i64} : !llvm.array<256 x i16>
  llvm.func @tiles(%in: !llvm.ptr, %out: !llvm.ptr, %stored: !llvm.ptr) attributes {gpu.kernel, nvvm.kernel} {
    %source = llvm.mlir.addressof @source : !llvm.ptr<3>
    %target = llvm.mlir.addressof @target : !llvm.ptr<3>
    %t = nvvm.read.ptx.sreg.laneid : i32
    // Lane t copies row t, which is also the one whose address it gives.
    %inRow = llvm.getelementptr %in[%t] : (!llvm.ptr, i32) -> !llvm.ptr, !llvm.array<8 x i16>
    %row = llvm.getelementptr %source[%t] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, !llvm.array<8 x i16>
    %targetRow = llvm.getelementptr %target[%t] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, !llvm.array<8 x i16>
    %v = llvm.load %inRow {alignment = 16 : i64} : !llvm.ptr -> vector<8xi16>
    llvm.store %v, %row {alignment = 16 : i64} : vector<8xi16>, !llvm.ptr<3>
    nvvm.barrier0
    %a = nvvm.ldmatrix %row {num = 4 : i32, layout = #nvvm.mma_layout<row>, shape = #nvvm.ld_st_matrix_shape<m = 8, n = 8>,
      eltType = #nvvm.ld_st_matrix_elt_type<b16>} : (!llvm.ptr<3>) -> !four
    %b = nvvm.ldmatrix %row {num = 4 : i32, layout = #nvvm.mma_layout<col>, shape = #nvvm.ld_st_matrix_shape<m = 8, n = 8>,
      eltType = #nvvm.ld_st_matrix_elt_type<b16>} : (!llvm.ptr<3>) -> !four
    %a0 = llvm.extractvalue %a[0] : !four
    %a1 = llvm.extractvalue %a[1] : !four
    %a2 = llvm.extractvalue %a[2] : !four
    %a3 = llvm.extractvalue %a[3] : !four
    %b0 = llvm.extractvalue %b[0] : !four
    %b1 = llvm.extractvalue %b[1] : !four
    %b2 = llvm.extractvalue %b[2] : !four
    %b3 = llvm.extractvalue %b[3] : !four
    %c = llvm.inline_asm has_side_effects "movmatrix.sync.aligned.m8n8.trans.b16 $0, $1;", "=r,r" %a0 : (i32) -> i32
    nvvm.stmatrix %targetRow, %a0, %a1, %a2, %a3 {layout = #nvvm.mma_layout<row>,
      shape = #nvvm.ld_st_matrix_shape<m = 8, n = 8>, eltType = #nvvm.ld_st_matrix_elt_type<b16>}
      : !llvm.ptr<3>, i32, i32, i32, i32
    nvvm.barrier0
    %w = llvm.load %targetRow {alignment = 16 : i64} : !llvm.ptr<3> -> vector<8xi16>
    %storedRow = llvm.getelementptr %stored[%t] : (!llvm.ptr, i32) -> !llvm.ptr, !llvm.array<8 x i16>
    llvm.store %w, %storedRow {alignment = 2 : i64} : vector<8xi16>, !llvm.ptr
    %o0 = llvm.getelementptr %out[%t] : (!llvm.ptr, i32) -> !llvm.ptr, i32
    %o1 = llvm.getelementptr %o0[32] : (!llvm.ptr) -> !llvm.ptr, i32
    %o2 = llvm.getelementptr %o0[64] : (!llvm.ptr) -> !llvm.ptr, i32
    %o3 = llvm.getelementptr %o0[96] : (!llvm.ptr) -> !llvm.ptr, i32
    %o4 = llvm.getelementptr %o0[128] : (!llvm.ptr) -> !llvm.ptr, i32
    %o5 = llvm.getelementptr %o0[160] : (!llvm.ptr) -> !llvm.ptr, i32
    %o6 = llvm.getelementptr %o0[192] : (!llvm.ptr) -> !llvm.ptr, i32
    %o7 = llvm.getelementptr %o0[224] : (!llvm.ptr) -> !llvm.ptr, i32
    %o8 = llvm.getelementptr %o0[256] : (!llvm.ptr) -> !llvm.ptr, i32
    llvm.store %a0, %o0 : i32, !llvm.ptr
    llvm.store %a1, %o1 : i32, !llvm.ptr
    llvm.store %a2, %o2 : i32, !llvm.ptr
    llvm.store %a3, %o3 : i32, !llvm.ptr
    llvm.store %b0, %o4 : i32, !llvm.ptr
    llvm.store %b1, %o5 : i32, !llvm.ptr
    llvm.store %b2, %o6 : i32, !llvm.ptr
    llvm.store %b3, %o7 : i32, !llvm.ptr
    llvm.store %c, %o8 : i32, !llvm.ptr
    llvm.return
  }
}
