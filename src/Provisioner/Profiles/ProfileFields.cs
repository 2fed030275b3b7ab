using Provisioner.Boot;
using Provisioner.Installing;
using Provisioner.Joining;
using Provisioner.Resources;

namespace Provisioner.Profiles;

/// <summary>The keys of a Profile's <c>spec</c>.</summary>
internal static class ProfileFields
{
    public static readonly Shape<ProfileSpec> Spec = Declare();

    private static Shape<ProfileSpec> Declare()
    {
        var shape = new Shape<ProfileSpec>("a Profile's spec", () => new ProfileSpec { Image = "" });
        shape.Required("image", Values.NameOf("Image"), p => p.Image, (p, v) => p with { Image = v }, "The Image it installs.");
        shape.Default("bootChain", BootOptionsFields.Chain, p => p.BootChain, (p, v) => p with { BootChain = v }, "The way from firmware to kernel; shim for Secure Boot.");
        shape.Optional("boot", BootOptionsFields.Options, p => p.Boot, (p, v) => p with { Boot = v }, "How its hosts boot, where that differs from the rules.");
        shape.Optional("cluster", Values.NameOf("Cluster"), p => p.Cluster, (p, v) => p with { Cluster = v }, "The Cluster its hosts join.");
        shape.Optional("node", NodeFields.Options, p => p.Node, (p, v) => p with { Node = v }, "What its hosts are as nodes of that cluster.");
        shape.Optional("install", InstallFields.Options, p => p.Install, (p, v) => p with { Install = v }, "How its hosts are installed unattended.");
        shape.Check((profile, report) =>
        {
            if (profile is { Node: not null, Cluster: null })
                report("node", "there is no cluster to be a node of", null, "a cluster, or no node");
            if (profile is { Cluster: not null, Install: null })
                report("cluster", "hosts join by what an unattended installation puts on them, and the profile has none", profile.Cluster, "install, or no cluster");
        });
        return shape;
    }
}
