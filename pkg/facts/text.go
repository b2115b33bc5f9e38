package facts

import (
	"io"
	"strings"
	"time"

	"kubecrate/pkg/progress"
	"kubecrate/pkg/table"
)

// WriteText prints the facts for people; of the packages only how many there
// are, see Baseline.
func (f *Facts) WriteText(w io.Writer) error {
	out := table.New(w)
	zone := f.Timezone
	if zone == "" {
		zone = "unknown"
	}
	for _, row := range [][2]string{
		{"hostname", f.Hostname},
		{"system", f.OS.Pretty},
		{"kernel", f.Kernel + ", " + f.Arch},
		{"clock", f.Time.Format(time.RFC3339) + ", time zone " + zone},
		{"memory", progress.Size(f.Memory) + ", swap " + progress.Size(f.Swap)},
		{"SELinux", f.SELinux},
		{"product_uuid", f.ProductUUID},
		{"machine-id", f.MachineID},
		{"boot_id", f.BootID},
		{"nameservers", strings.Join(f.Nameservers, " ")},
	} {
		value := row[1]
		if value == "" {
			value = "none"
		}
		out.Line("%s\t%s", row[0], value)
	}
	out.Line("CPUs\t%d", f.CPUs)
	out.Line("packages\t%d", len(f.Packages))
	for _, d := range f.Disks {
		note := ""
		if d.ReadOnly {
			note = ", read-only"
		}
		out.Line("disk\t%s: %s free of %s, %s on %s%s", d.Path, progress.Size(d.Free), progress.Size(d.Size), d.Type, d.Mount, note)
	}
	for _, i := range f.Interfaces {
		var list []string
		for _, a := range i.Addresses {
			list = append(list, a.Prefix.String())
		}
		out.Line("interface\t%s", strings.TrimSpace(i.Name+" "+i.State+" "+i.MAC+" "+strings.Join(list, " ")))
	}
	for _, r := range f.Routes {
		via := ""
		if r.Gateway.IsValid() {
			via = " via " + r.Gateway.String()
		}
		out.Line("route\t%s%s on %s", r.Destination, via, r.Interface)
	}
	return out.Flush()
}
