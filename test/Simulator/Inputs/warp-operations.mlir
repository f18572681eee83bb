// Every operation of a warp, one row of 32 results each.
gpu.module @kernels {
  llvm.func @llvm.nvvm.match.any.sync.i32(i32, i32) -> i32
  llvm.func @llvm.nvvm.match.all.sync.i32p(i32, i32) -> !llvm.struct<(i32, i1)>
  llvm.func @llvm.nvvm.activemask() -> i32
  gpu.func @warp(%in: memref<32xi32>, %out: memref<20x32xi32>) kernel {
    %t = gpu.thread_id x
    %v = memref.load %in[%t] : memref<32xi32>
    %all = arith.constant -1 : i32
    %c0 = arith.constant 0 : i32
    %c1 = arith.constant 1 : i32
    %c3 = arith.constant 3 : i32
    %c4 = arith.constant 4 : i32
    %c5 = arith.constant 5 : i32
    %c31 = arith.constant 31 : i32
    // segments of 8 lanes: clamp 31 or 0 and mask 0b11000 in bits 8 to 12
    %seg = arith.constant 0x181f : i32
    %segUp = arith.constant 0x1800 : i32
    %r0 = nvvm.shfl.sync bfly %all, %v, %c5, %c31 : i32 -> i32
    %r1 = nvvm.shfl.sync up %all, %v, %c3, %c0 : i32 -> i32
    %r2 = nvvm.shfl.sync down %all, %v, %c3, %c31 : i32 -> i32
    %r3 = nvvm.shfl.sync idx %all, %v, %c4, %c31 : i32 -> i32
    %r4 = nvvm.shfl.sync up %all, %v, %c3, %segUp : i32 -> i32
    %r5 = nvvm.shfl.sync down %all, %v, %c3, %seg : i32 -> i32
    %r6 = nvvm.shfl.sync idx %all, %v, %c4, %seg : i32 -> i32
    %s7 = nvvm.shfl.sync down %all, %v, %c3, %c31 {return_value_and_is_valid} : i32 -> !llvm.struct<(i32, i1)>
    %p7 = llvm.extractvalue %s7[1] : !llvm.struct<(i32, i1)>
    %r7 = llvm.zext %p7 : i1 to i32
    %odd = arith.andi %v, %c1 : i32
    %isOdd = arith.cmpi eq, %odd, %c1 : i32
    %r8 = nvvm.vote.sync ballot %all, %isOdd -> i32
    %b9 = nvvm.vote.sync any %all, %isOdd -> i1
    %r9 = llvm.zext %b9 : i1 to i32
    %b10 = nvvm.vote.sync all %all, %isOdd -> i1
    %r10 = llvm.zext %b10 : i1 to i32
    %r11 = nvvm.redux.sync add %v, %all : i32 -> i32
    %r12 = nvvm.redux.sync min %v, %all : i32 -> i32
    %r13 = nvvm.redux.sync umax %v, %all : i32 -> i32
    %r14 = nvvm.redux.sync xor %v, %all : i32 -> i32
    %r15 = llvm.call @llvm.nvvm.match.any.sync.i32(%all, %odd) : (i32, i32) -> i32
    %s16 = llvm.call @llvm.nvvm.match.all.sync.i32p(%all, %odd) : (i32, i32) -> !llvm.struct<(i32, i1)>
    %r16 = llvm.extractvalue %s16[0] : !llvm.struct<(i32, i1)>
    %b17 = nvvm.elect.sync -> i1
    %r17 = llvm.zext %b17 : i1 to i32
    %r18 = llvm.call @llvm.nvvm.activemask() : () -> i32
    %r19 = nvvm.read.ptx.sreg.lanemask.lt : i32
    nvvm.bar.warp.sync %all : i32
    %i0 = arith.constant 0 : index
    %i1 = arith.constant 1 : index
    %i2 = arith.constant 2 : index
    %i3 = arith.constant 3 : index
    %i4 = arith.constant 4 : index
    %i5 = arith.constant 5 : index
    %i6 = arith.constant 6 : index
    %i7 = arith.constant 7 : index
    %i8 = arith.constant 8 : index
    %i9 = arith.constant 9 : index
    %i10 = arith.constant 10 : index
    %i11 = arith.constant 11 : index
    %i12 = arith.constant 12 : index
    %i13 = arith.constant 13 : index
    %i14 = arith.constant 14 : index
    %i15 = arith.constant 15 : index
    %i16 = arith.constant 16 : index
    %i17 = arith.constant 17 : index
    %i18 = arith.constant 18 : index
    %i19 = arith.constant 19 : index
    memref.store %r0, %out[%i0, %t] : memref<20x32xi32>
    memref.store %r1, %out[%i1, %t] : memref<20x32xi32>
    memref.store %r2, %out[%i2, %t] : memref<20x32xi32>
    memref.store %r3, %out[%i3, %t] : memref<20x32xi32>
    memref.store %r4, %out[%i4, %t] : memref<20x32xi32>
    memref.store %r5, %out[%i5, %t] : memref<20x32xi32>
    memref.store %r6, %out[%i6, %t] : memref<20x32xi32>
    memref.store %r7, %out[%i7, %t] : memref<20x32xi32>
    memref.store %r8, %out[%i8, %t] : memref<20x32xi32>
    memref.store %r9, %out[%i9, %t] : memref<20x32xi32>
    memref.store %r10, %out[%i10, %t] : memref<20x32xi32>
    memref.store %r11, %out[%i11, %t] : memref<20x32xi32>
    memref.store %r12, %out[%i12, %t] : memref<20x32xi32>
    memref.store %r13, %out[%i13, %t] : memref<20x32xi32>
    memref.store %r14, %out[%i14, %t] : memref<20x32xi32>
    memref.store %r15, %out[%i15, %t] : memref<20x32xi32>
    memref.store %r16, %out[%i16, %t] : memref<20x32xi32>
    memref.store %r17, %out[%i17, %t] : memref<20x32xi32>
    memref.store %r18, %out[%i18, %t] : memref<20x32xi32>
    memref.store %r19, %out[%i19, %t] : memref<20x32xi32>
    gpu.return
  }
}
