package archive

import (
	"os"

	"golang.org/x/sys/unix"
)

// FileLimit is the size in bytes of the largest file that the file system of
// dir can hold; ok is false if no limit is known. FAT (msdos and vfat, magic
// 0x4d44 in statfs(2)) holds one byte less than 4 GiB.
func FileLimit(dir string) (limit int64, ok bool) {
	const fat = 1<<32 - 1
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil || int64(st.Type) != unix.MSDOS_SUPER_MAGIC { //nolint:unconvert // the type differs between architectures
		return 0, false
	}
	return fat, true
}

// freeBytes is the free space of the file system of dir, -1 if unknown. It runs on
// the build machine, which has no host.Host.
func freeBytes(dir string) int64 {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return -1
	}
	return int64(st.Bavail) * st.Bsize //nolint:gosec // no disk has 2^63 bytes
}

// startWriteback asks the kernel to begin writing n bytes at offset to the disk
// and does not wait, so that the sync at the end takes less time. That sync reports
// any error.
func startWriteback(f *os.File, offset, n int64) {
	_ = unix.SyncFileRange(int(f.Fd()), offset, n, unix.SYNC_FILE_RANGE_WRITE)
}

// dropCache asks the kernel to drop the cached pages of a synced file, so that
// reads go to the disk. The kernel may silently ignore it.
func dropCache(f *os.File) {
	_ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
}
