using Provisioner.Resources;

namespace Provisioner.Boot;

/// <summary>The keys of <c>boot</c> in a Host or Profile.</summary>
internal static class BootOptionsFields
{
    public static readonly ScalarKind<BootChain> Chain = Values.OneOf("a boot chain", ("auto", BootChain.Auto), ("ipxe", BootChain.Ipxe), ("shim", BootChain.Shim));

    public static readonly Shape<BootOptions> Options = Declare();

    private static Shape<BootOptions> Declare()
    {
        var local = Values.OneOf("a way to the local disk",
            ("exit", LocalBoot.Exit), ("http-404", LocalBoot.Http404), ("sanboot", LocalBoot.Sanboot), ("no-file", LocalBoot.NoFile));
        var shape = new Shape<BootOptions>("boot", () => new BootOptions());
        shape.Optional("file", Values.BootFile, b => b.File, (b, v) => b with { File = v }, "The boot loader to hand out instead of the one the rules choose.");
        shape.Optional("local", local, b => b.Local, (b, v) => b with { Local = v }, "How it is sent to its own disk when nothing is to be installed.");
        shape.Optional("kernelArguments", new ListKind<string>(Values.KernelArgument), b => b.KernelArguments, (b, v) => b with { KernelArguments = v },
            "Added to the kernel command line after the image's.");
        return shape;
    }
}
