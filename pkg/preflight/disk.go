package preflight

import (
	"slices"
	"strings"

	"kubecrate/manifest"
	"kubecrate/pkg/archive"
	"kubecrate/pkg/cri"
	"kubecrate/pkg/facts"
	"kubecrate/pkg/host"
	"kubecrate/pkg/progress"
)

// Need is how many bytes are still to be written below Path.
type Need struct {
	Path  string
	Bytes int64
	What  string // "images", for a message
}

const (
	etcdDir    = "/var/lib/etcd"
	kubeletDir = "/var/lib/kubelet"
)

// What the members of an archive become on a host.
const (
	// unpacked is the unpacked size of an RPM relative to the file: 4.1 and 5.2 for
	// docker-ce 18.06.3 and kubelet 1.17.4, the largest of the default profile.
	unpacked = 5
	// grown is the space reserved for etcd's data, and for the kubelet's logs and volumes.
	grown = 256 << 20
)

// imageDir returns the directory in which the bundle's runtime stores images.
func (o *Options) imageDir() string { return o.Runtimes.About(o.Manifest.Runtime).DataDir }

// NeedsOf returns the space that a fresh host of a role needs for an archive. A
// caller that knows what is already there subtracts it.
func NeedsOf(idx *archive.Index, runtime cri.About, role manifest.Role) []Need {
	var rpms, images int64
	for _, member := range idx.Members {
		switch {
		case !member.NeededBy(role):
		case member.Kind == manifest.KindRPM:
			rpms += member.Size
		case member.Kind == manifest.KindImage:
			images += member.Size
		}
	}
	images *= runtime.Copies
	list := []Need{
		{"/usr", rpms * unpacked, "packages"},
		{"/var/lib/kubecrate", rpms, "the bundle's package repository"},
		{runtime.DataDir, images, "images"},
		{kubeletDir, grown, "the kubelet"},
	}
	if role != manifest.Node {
		list = append(list, Need{etcdDir, grown, "etcd"})
	}
	return list
}

// writable returns the directories that must be on a local file system.
func writable(o *Options) []string {
	list := []string{"/", o.imageDir(), kubeletDir}
	if o.controls() {
		list = append(list, etcdDir)
	}
	return list
}

// mounts checks the types of file systems and their mount options.
func mounts(_ *host.Host, o *Options, f *found) error {
	network := []string{"nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "fuse.glusterfs", "fuse.sshfs"}
	lost := []string{"tmpfs", "ramfs"}
	for _, path := range writable(o) {
		d := o.Facts.Disk(path)
		at := d.Mount
		if at == "" {
			at = path
		}
		switch {
		case d.ReadOnly:
			f.fail("mount -o remount,rw "+at+"; if that fails, check the disk's errors with dmesg", "%s is on %s, which is mounted read-only", path, at)
		case d.NoExec && (path == "/" || path == o.imageDir()):
			f.fail("mount -o remount,exec "+at+", and remove noexec from its line in /etc/fstab", "%s is on %s, which is mounted noexec: containers cannot start", path, at)
		case slices.Contains(network, d.Type) && path != "/":
			f.fail("mount a local disk at "+path, "%s is on %s, a network file system (%s): data can be lost or locked there", path, at, d.Type)
		case slices.Contains(lost, d.Type) && path != "/":
			f.warn("mount a local disk at "+path, "%s is on %s, which is in memory (%s): its contents are lost at a reboot", path, at, d.Type)
		}
	}
	f.okIf("%s are on local disks", strings.Join(writable(o), ", "))
	return nil
}

// The kubelet's thresholds, in percent of free space: below the first it evicts pods
// and admits no new ones (evictionHard, nodefs.available), below the second it also
// deletes images that no running pod uses, which cannot be pulled again on an isolated
// host (imagefs.available, imageGCHighThresholdPercent).
const (
	evicts  = 10
	deletes = 15
)

// volume is a file system of the host and what will be written to it.
type volume struct {
	facts.Disk
	need   int64
	whats  []string
	evicts bool // the kubelet watches its free space
	images bool // and deletes images there
}

// disk adds up what will be written to each file system.
func disk(h *host.Host, o *Options, f *found) error {
	var list []volume
	for _, n := range o.Needs {
		d, err := diskOf(h, o.Facts, n.Path)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(list, func(v volume) bool { return v.Mount == d.Mount })
		if i < 0 {
			list = append(list, volume{Disk: d})
			i = len(list) - 1
		}
		list[i].need += n.Bytes
		list[i].images = list[i].images || n.Path == o.imageDir()
		list[i].evicts = list[i].evicts || list[i].images || n.Path == kubeletDir
		if n.Bytes > 0 {
			list[i].whats = append(list[i].whats, n.What)
		}
	}
	for _, v := range list {
		v.judge(f, h.FreeHint())
	}
	return nil
}

func diskOf(h *host.Host, fs *facts.Facts, path string) (facts.Disk, error) {
	i := slices.IndexFunc(fs.Disks, func(d facts.Disk) bool { return d.Path == path })
	if i >= 0 {
		return fs.Disks[i], nil
	}
	return facts.DiskOf(h, path)
}

func (v volume) judge(f *found, free string) {
	const margin = 10 // percent of the estimate
	at := v.Mount
	if at == "" {
		at = v.Path
	}
	need := v.need + v.need/100*margin
	left := v.Free - need
	fix := "find what uses the space: du -xh --max-depth=2 " + at + " | sort -h | tail; " + free
	share := max(1, v.Size/100)
	percent := left / share
	switch {
	case left < 0:
		f.fail(fix, "%s has %s free, %s need %s", at, progress.Size(v.Free), strings.Join(v.whats, ", "), progress.Size(need))
	case v.evicts && percent < evicts:
		f.fail(fix, "%s would have %s of %s left (%d%%); below %d%% the kubelet admits no pods: free another %s",
			at, progress.Size(left), progress.Size(v.Size), percent, evicts, progress.Size(share*evicts-left))
	case v.images && percent < deletes:
		f.warn(fix, "%s would have %s of %s left (%d%%); below %d%% the kubelet deletes unused images and admits no pods: free another %s",
			at, progress.Size(left), progress.Size(v.Size), percent, deletes, progress.Size(share*deletes-left))
	default:
		f.ok("%s: %s free, %s needed", at, progress.Size(v.Free), progress.Size(need))
	}
}
