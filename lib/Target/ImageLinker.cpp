//===- ImageLinker.cpp - object code to a relocated image -----------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Input: a relocatable object. Output: Image. JITLink does the linking, into plain memory: nothing becomes executable
// here. Three segments follow one another, text, read-only data and data that the loader fills in (the GOT, tables of
// pointers) before it makes that read-only as well.
//
//===----------------------------------------------------------------------===//
#include "lib/Target/ImageLinker.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/ExecutionEngine/JITLink/ELF_x86_64.h"
#include "llvm/ExecutionEngine/JITLink/JITLink.h"
#include "llvm/ExecutionEngine/JITLink/JITLinkMemoryManager.h"
#include "llvm/ExecutionEngine/JITLink/x86_64.h"

using namespace llvm;
using namespace llvm::jitlink;

namespace bochner {

/// Address of the file's first byte while linking. Above 4 GiB, so that no absolute address fits into an instruction.
static constexpr uint64_t kLinkAddress = 0x1000000000;
/// Where runtime functions pretend to be: too far for a direct call, so that each keeps its GOT entry.
static constexpr uint64_t kImportAddress = 0x7f0000000000;

static Error fail(const Twine &message) { return make_error<StringError>(message, inconvertibleErrorCode()); }

static bool isWritable(orc::MemProt protection) { return (protection & orc::MemProt::Write) != orc::MemProt::None; }
static bool isExecutable(orc::MemProt protection) { return (protection & orc::MemProt::Exec) != orc::MemProt::None; }
static bool isAllocated(const Section &section) { return section.getMemLifetime() != orc::MemLifetime::NoAlloc; }

static SegmentKind segmentOf(orc::MemProt protection) {
  return isExecutable(protection) ? SegmentKind::text
         : isWritable(protection) ? SegmentKind::data
                                  : SegmentKind::rodata;
}

static uint64_t fileAddress(orc::ExecutorAddr address) { return address.getValue() - kLinkAddress; }

namespace {
/// Places the sections of a graph in an Image.
class ImageMemoryManager : public JITLinkMemoryManager {
public:
  explicit ImageMemoryManager(Image &image) : image(image) {}

  void allocate(const JITLinkDylib *, LinkGraph &graph, OnAllocatedFunction onAllocated) override {
    BasicLayout layout(graph);
    uint64_t end = image.base;
    for (SegmentKind kind : {SegmentKind::text, SegmentKind::rodata, SegmentKind::data}) {
      ImageSegment &place = image.segments[unsigned(kind)];
      place.address = end;
      for (auto &[group, segment] : layout.segments()) {
        if (segmentOf(group.getMemProt()) != kind)
          continue;
        if (segment.Alignment.value() > kPageSize)
          return onAllocated(fail("expected alignments of at most " + Twine(kPageSize) + " bytes, but got " +
                                  Twine(segment.Alignment.value())));
        end = alignTo(end, segment.Alignment);
        segment.Addr = orc::ExecutorAddr(kLinkAddress + end);
        end += segment.ContentSize + segment.ZeroFillSize;
      }
      place.size = end - place.address;
      end = alignTo(end, kPageSize);
    }
    image.bytes.assign(end - image.base, 0);
    for (auto &[group, segment] : layout.segments())
      segment.WorkingMem = image.bytes.data() + (fileAddress(segment.Addr) - image.base);
    if (Error error = layout.apply())
      return onAllocated(std::move(error));
    onAllocated(std::make_unique<Allocation>());
  }

  void deallocate(std::vector<FinalizedAlloc> allocations, OnDeallocatedFunction onDeallocated) override {
    for (FinalizedAlloc &allocation : allocations)
      allocation.release();
    onDeallocated(Error::success());
  }

private:
  /// The image owns the memory.
  struct Allocation : InFlightAlloc {
    void abandon(OnAbandonedFunction onAbandoned) override { onAbandoned(Error::success()); }
    void finalize(OnFinalizedFunction onFinalized) override {
      onFinalized(FinalizedAlloc(orc::ExecutorAddr(kLinkAddress)));
    }
  };

  Image &image;
};

class ImageContext : public JITLinkContext {
public:
  ImageContext(Image &image, Error &failure)
      : JITLinkContext(nullptr), manager(image), image(image), failure(failure) {}

  JITLinkMemoryManager &getMemoryManager() override { return manager; }
  void notifyFailed(Error error) override { failure = joinErrors(std::move(failure), std::move(error)); }
  void notifyFinalized(JITLinkMemoryManager::FinalizedAlloc allocation) override { allocation.release(); }
  bool shouldAddDefaultTargetPasses(const Triple &) const override { return true; }

  LinkGraphPassFunction getMarkLivePass(const Triple &) const override {
    return [](LinkGraph &graph) {
      for (Symbol *symbol : graph.defined_symbols())
        if (symbol->getScope() == Scope::Default)
          symbol->setLive(true);
      return Error::success();
    };
  }

  void lookup(const LookupMap &symbols, std::unique_ptr<JITLinkAsyncLookupContinuation> continuation) override {
    AsyncLookupResult result;
    uint64_t address = kImportAddress;
    for (const auto &[name, flags] : symbols) {
      result[name] = {orc::ExecutorAddr(address), JITSymbolFlags::Exported};
      address += 64;
    }
    continuation->run(std::move(result));
  }

  Error notifyResolved(LinkGraph &graph) override;

  Error modifyPassConfig(LinkGraph &, PassConfiguration &config) override {
    config.PrePrunePasses.push_back([this](LinkGraph &graph) { return collectSymbols(graph); });
    // Runs behind the pass that builds GOT and stubs, which hides the names of undefined symbols from calls.
    config.PostPrunePasses.push_back(checkUndefinedSymbols);
    config.PostPrunePasses.push_back(prepareSections);
    config.PreFixupPasses.push_back([this](LinkGraph &graph) { return collectTables(graph); });
    return Error::success();
  }

private:
  static Error checkUndefinedSymbols(LinkGraph &graph);
  static Error prepareSections(LinkGraph &graph);
  Error collectSymbols(LinkGraph &graph);
  Error collectTables(LinkGraph &graph);

  struct NamedSymbol {
    const Block *block;
    uint64_t offset;
    ImageSymbol symbol;
  };
  std::vector<NamedSymbol> named;
  ImageMemoryManager manager;
  Image &image;
  Error &failure;
};
} // namespace

/// Pruning keeps the code of an internal function but not its symbol, because calls refer to the section. Debuggers and
/// profilers want the symbol.
Error ImageContext::collectSymbols(LinkGraph &graph) {
  for (Symbol *symbol : graph.defined_symbols()) {
    const Section &section = symbol->getBlock().getSection();
    // Labels of constants (.LCPI0_0) say nothing.
    if (!symbol->hasName() || (*symbol->getName()).starts_with(".L") || !isAllocated(section))
      continue;
    named.push_back({&symbol->getBlock(),
                     symbol->getOffset(),
                     {(*symbol->getName()).str(), 0, symbol->getSize(), segmentOf(section.getMemProt()),
                      symbol->getScope() == Scope::Default, isExecutable(section.getMemProt())}});
  }
  return Error::success();
}

Error ImageContext::notifyResolved(LinkGraph &graph) {
  DenseSet<const Block *> kept;
  for (const Block *block : graph.blocks())
    kept.insert(block);
  for (NamedSymbol &entry : named) {
    if (!kept.contains(entry.block))
      continue;
    entry.symbol.address = fileAddress(entry.block->getAddress()) + entry.offset;
    image.symbols.push_back(std::move(entry.symbol));
  }
  return Error::success();
}

Error ImageContext::checkUndefinedSymbols(LinkGraph &graph) {
  static const StringSet<> allowed = [] {
    StringSet<> names;
    for (const char *name : format::kRuntimeFunctions)
      names.insert(name);
    return names;
  }();
  std::vector<std::string> undefined;
  for (Symbol *symbol : graph.external_symbols())
    if (!allowed.contains(*symbol->getName()))
      undefined.push_back(("'" + *symbol->getName() + "'").str());
  if (undefined.empty())
    return Error::success();
  llvm::sort(undefined);
  return fail(
      "undefined symbol " + join(undefined, ", ") +
      ": compiled code can call its own functions, the mathematical functions of C, memset, memcpy and memmove");
}

/// Name of what a GOT entry or a stub leads to.
static std::string destination(const Block &block) {
  for (const Edge &edge : block.edges()) {
    const Symbol &target = edge.getTarget();
    if (target.hasName())
      return (*target.getName()).str();
    if (target.isDefined())
      return destination(target.getBlock());
  }
  return "";
}

Error ImageContext::prepareSections(LinkGraph &graph) {
  for (Section &section : graph.sections()) {
    StringRef name = section.getName();
    // The layout follows the addresses that blocks have at this point. Those of GOT entries and stubs are all alike and
    // come in the order of a hash table: order them by name.
    if (name.starts_with("$__")) {
      std::vector<std::pair<std::string, Block *>> blocks;
      for (Block *block : section.blocks())
        blocks.push_back({destination(*block), block});
      llvm::sort(blocks, less_first());
      for (auto [index, entry] : enumerate(blocks))
        entry.second->setAddress(orc::ExecutorAddr(64 * index));
    }
    if (name == "$__GOT")
      section.setMemProt(orc::MemProt::Read | orc::MemProt::Write);
    else if (isAllocated(section) && isWritable(section.getMemProt()) && !section.empty() &&
             !name.starts_with(".data.rel.ro"))
      return fail("unsupported writable data in section '" + name + "': compiled modules are read-only");
  }
  return Error::success();
}

Error ImageContext::collectTables(LinkGraph &graph) {
  for (Block *block : graph.blocks()) {
    const Section &section = block->getSection();
    if (!isAllocated(section))
      continue;
    for (const Edge &edge : block->edges()) {
      const Symbol &target = edge.getTarget();
      bool undefined = !target.isDefined();
      uint64_t slot = fileAddress(block->getAddress()) + edge.getOffset();
      switch (edge.getKind()) {
      case x86_64::Pointer64:
        if (!isWritable(section.getMemProt()))
          return fail("unsupported absolute address in read-only section '" + section.getName() + "'");
        if (slot % 8)
          return fail("unsupported address at an offset that is no multiple of 8 in section '" + section.getName() +
                      "'");
        if (undefined && edge.getAddend())
          return fail("unsupported offset from the address of '" + *target.getName() + "'");
        if (undefined)
          image.tables.imports.push_back({slot, (*target.getName()).str()});
        else
          image.tables.relocations.push_back({slot, fileAddress(target.getAddress()) + edge.getAddend()});
        break;
      case x86_64::Pointer32:
      case x86_64::Pointer32Signed:
      case x86_64::Pointer16:
      case x86_64::Pointer8:
        return fail("unsupported short absolute address in section '" + section.getName() + "'");
      default:
        if (undefined && edge.getKind() >= Edge::FirstRelocation)
          return fail("unsupported relocation " + Twine(graph.getEdgeKindName(edge.getKind())) + " of '" +
                      *target.getName() + "'");
      }
    }
  }
  return Error::success();
}

Expected<Image> linkImage(StringRef object, uint64_t base) {
  Image image;
  image.base = base;
  // Linking destroys the graph before it lets go of names of imports, so the graph must not be the only owner of them.
  auto names = std::make_shared<orc::SymbolStringPool>();
  auto graph = createLinkGraphFromELFObject_x86_64(MemoryBufferRef(object, "bochner"), names);
  if (!graph)
    return graph.takeError();
  Error failure = Error::success();
  link_ELF_x86_64(std::move(*graph), std::make_unique<ImageContext>(image, failure));
  if (failure)
    return std::move(failure);

  // Pointers are the loader's to write; made-up addresses in their place would differ between equal objects.
  auto clear = [&](uint64_t slot) { std::fill_n(image.bytes.begin() + (slot - base), 8, 0); };
  for (const format::Import &import : image.tables.imports)
    clear(import.slot);
  for (const format::Relocation &relocation : image.tables.relocations)
    clear(relocation.slot);
  llvm::sort(image.tables.imports, [](auto &a, auto &b) { return a.slot < b.slot; });
  llvm::sort(image.tables.relocations, [](auto &a, auto &b) { return a.slot < b.slot; });
  llvm::sort(image.symbols, [](const ImageSymbol &a, const ImageSymbol &b) {
    return std::tie(a.address, a.name) < std::tie(b.address, b.name);
  });
  return image;
}

} // namespace bochner
