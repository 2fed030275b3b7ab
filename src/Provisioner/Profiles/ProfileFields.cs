using Provisioner.Boot;
using Provisioner.Installing;
using Provisioner.Resources;

namespace Provisioner.Profiles;

/// <summary>The keys of a Profile's <c>spec</c>.</summary>
internal static class ProfileFields
{
    public static readonly Shape<ProfileSpec> Spec = Declare();

    private static Shape<ProfileSpec> Declare()
    {
        var shape = new Shape<ProfileSpec>("a Profile's spec", () => new ProfileSpec { Image = "" });
        shape.Required("image", Values.Name, p => p.Image, (p, v) => p with { Image = v }, "The Image it installs.");
        shape.Default("bootChain", BootOptionsFields.Chain, p => p.BootChain, (p, v) => p with { BootChain = v }, "The way from firmware to kernel; shim for Secure Boot.");
        shape.Optional("boot", BootOptionsFields.Options, p => p.Boot, (p, v) => p with { Boot = v }, "How its hosts boot, where that differs from the rules.");
        shape.Optional("install", InstallFields.Options, p => p.Install, (p, v) => p with { Install = v }, "How its hosts are installed unattended.");
        return shape;
    }
}
