using System.Collections.Immutable;
using Provisioner.Boot;
using Provisioner.Events;
using Provisioner.Hosts;
using Provisioner.Images;
using Provisioner.Joining;
using Provisioner.Progress;
using Provisioner.Protocols;
using Provisioner.Resources;
using Provisioner.Tests.Appliance;

namespace Provisioner.Tests.Web;

/// <summary>Something to look at: hosts in every state that a fleet has.</summary>
internal static class ConsoleSite
{
    public static async Task BuildAsync(RunningAppliance appliance)
    {
        await appliance.Writer.ChangeAsync(editor => editor.Put(new Image(new Metadata("ubuntu-24.04"), new ImageSpec { Distribution = "ubuntu", Version = "24.04", Architecture = CpuArchitecture.X64, Kernel = "linux" })
        {
            Status = new ImageStatus { Files = [new ImageFile("linux", 12_000_000, new string('a', 64), CpuArchitecture.X64)] },
        }));
        var (status, body) = await appliance.ApplyAsync("""
            apiVersion: provisioner/v1
            kind: Network
            metadata: { name: hall1 }
            spec: { subnet: 10.20.0.0/24, interface: lab0, dhcp: proxy }
            ---
            apiVersion: provisioner/v1
            kind: Profile
            metadata: { name: worker, labels: { team: platform } }
            spec: { image: ubuntu-24.04 }
            """);
        Assert.True(status == 200, body.ToJsonString());
        await appliance.Writer.ChangeAsync(editor =>
        {
            var now = editor.Now;
            for (var rack = 1; rack <= 3; rack++)
            {
                for (var unit = 1; unit <= 6; unit++)
                {
                    var name = $"r{rack}-n{unit:00}";
                    editor.Put(new Host(new Metadata(name) { Labels = ImmutableSortedDictionary<string, string>.Empty.Add("lane", rack == 1 ? "canary" : "main") }, new HostSpec
                    {
                        MacAddresses = [MacAddress.Parse($"52:54:00:00:{rack:00}:{unit:00}")], Architecture = CpuArchitecture.X64, Profile = "worker", Zone = $"zone-{rack}", Serial = $"SN{rack}{unit:00}",
                        Location = new HostLocation { Site = "fra", Rack = $"rack{rack}", Unit = unit * 2 },
                    }));
                    if (unit > 4)
                        continue;
                    var opened = now.AddMinutes(-30 * unit);
                    ImmutableArray<InstallationStage> stages =
                    [
                        Done("installer", opened.AddMinutes(2), 1), Done("disks", opened.AddMinutes(3), 6), Done("steps", opened.AddMinutes(9), 2),
                        unit switch
                        {
                            1 => new InstallationStage("installed", opened.AddMinutes(11)) { State = StageState.Done, EndedAt = opened.AddMinutes(11) },
                            2 => new InstallationStage("postinstall", opened.AddMinutes(11)) { State = StageState.Failed, EndedAt = opened.AddMinutes(12), Message = "E: Unable to locate package htop" },
                            _ => new InstallationStage("postinstall", now.AddMinutes(-1)) { Message = "Unpacking linux-firmware" },
                        },
                    ];
                    editor.Put(new Installation
                    {
                        Id = $"{rack}{unit}".PadRight(32, '0'), Host = name, Profile = "worker", Image = "ubuntu-24.04", OpenedAt = opened, ClosesAt = now.AddHours(2), Stages = stages, HeardAt = now.AddSeconds(-40),
                        InstalledAt = unit == 1 ? opened.AddMinutes(11) : null, ClosedAt = unit == 1 ? opened.AddMinutes(11) : null, ClosedBecause = unit == 1 ? Installation.Installed : null, Actor = "user/olga",
                    });
                }
            }
            editor.Put(new HostFindings
            {
                Host = "r1-n01", At = now, Findings =
                [
                    new Finding("endpoint-tcp", Verdict.Fail, "10.20.0.0/24 cannot reach 10.0.0.10:443", "The node cannot register.", "a rule from 10.20.0.0/24 to 10.0.0.10 tcp 443"),
                    new Finding("clock", Verdict.Pass, "0.02 s from the appliance", "", ""),
                ],
            });
            editor.Put(new Discovered(MacAddress.Parse("a0:36:9f:12:34:56")) { Architecture = "UEFI x64", Vendor = "Intel Corporate", Manufacturer = "Dell Inc.", Product = "PowerEdge R660", Serial = "7XK2M", Address = "10.20.0.61", Network = "hall1", FirstSeen = now.AddMinutes(-4), LastSeen = now, Times = 9 });
            editor.Raise(new Alert { Id = "clock", Severity = AlertSeverity.Warning, Message = "The clock is 3 s behind its time server.", Remedy = "timedatectl timesync-status says which.", FirstAt = now, LastAt = now });
            return 0;
        });

        static InstallationStage Done(string name, DateTimeOffset at, int minutes) => new(name, at) { State = StageState.Done, EndedAt = at.AddMinutes(minutes) };
    }
}
