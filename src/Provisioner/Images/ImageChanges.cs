using Provisioner.Storage;

namespace Provisioner.Images;

/// <summary>Changes of images that an import makes, for <see cref="StateWriter.ChangeAsync{T}"/>.</summary>
public static class ImageChanges
{
    /// <summary>Puts an image with its imported files (status) in place, new or instead of the one of that name. Labels of the old one stay unless the new one has its own.</summary>
    /// <exception cref="Resources.ChangeRefusedException">A registered host or profile no longer fits, or the spec is wrong.</exception>
    public static Image Register(StateEditor editor, Image image, string? actor) => throw new NotSupportedException("Not there yet");
}
