#!/usr/bin/perl
# There is one version number, in src/version.h; the Debian packages have the same, and no answer shows it.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;

my $repo = "$FindBin::Bin/..";

sub first_match {
    my ($file, $pattern) = @_;
    open my $f, '<', "$repo/$file" or die "$file: $!";
    while (<$f>) { return $1 if $_ =~ $pattern }
    return;
}

my $version = first_match('src/version.h', qr/ version\[\] = "([^"]+)";/);
like $version, qr/^\d+\.\d+\.\d+(?:-dev)?$/, 'src/version.h has the version';
is first_match('CHANGELOG.md', qr/^## (\S+)/), $version =~ /-dev/ ? 'Unreleased' : $version, 'the first heading of CHANGELOG.md is the version';
is first_match('debian/changelog', qr/^nginx-scim \((.*?)\) /), $version =~ s/-/~/r, 'debian/changelog has the same version';

my $t = Scim->new(http => 'scim_store main %%DIR%%/store size=64m;', server => 'location /scim/v2 { scim main; }');
my $token = $t->seed('acme');
my ($exit, $out) = $t->scimctl('--version');
like $out, qr/\Q$version\E/, 'scimctl --version prints it';
$t->start;
ok $t->wait_log(qr/\[notice\].*: scim: nginx-scim \Q$version\E\n/), 'the error log has it';
for my $request ([GET => '/scim/v2/ServiceProviderConfig'], [GET => '/scim/v2/Nothing'], [POST => '/scim/v2/Users', body => '{']) {
    my ($method, $path, @more) = @$request;
    my $answer = $t->request($method, $path, token => $token, @more);
    unlike join("\n", %{ $answer->{headers} }, $answer->{body}), qr/nginx-scim|\Q$version\E/,
        "the $answer->{status} to $method $path does not show it";
}
$t->finish;
