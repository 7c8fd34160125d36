#!/usr/bin/perl
# A request body in a file that cannot be read is refused with 503. If the thread that prepares a large body cannot read it,
# the writer reads it again.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

BEGIN {
    plan skip_all => 'TEST_FAULTS is not set' if !$ENV{TEST_FAULTS};
    $ENV{TEST_NGINX_PRELOAD} = join ' ', grep length, $ENV{TEST_NGINX_PRELOAD} // '', $ENV{TEST_FAULTS};
}
use Scim;
use Scim::Check;

my $t = Scim->new(main => 'env TEST_READ_FAULT;', http => 'scim_store main %%DIR%%/store;', server => <<'EOS',
    client_body_buffer_size 1k;
    location / { scim main; }
EOS
    expect_log => [qr/\[crit\].*cannot read the temporary file of a request body \(5: /]);
my $order = $ENV{TEST_READ_FAULT} = "$t->{dir}/fail";
my $token = $t->seed('acme');
$t->start->served('/Users', token => $token);

# Creates a user with a displayName of $size bytes; the next read of a body fails.
sub create {
    my ($name, $size) = @_;
    $t->write_file('fail', '');
    my $r = $t->request(POST => '/Users', token => $token, json => Scim::user($name, displayName => 'x' x $size));
    ok !-e $order, "the body of $name could not be read";
    return $r;
}
sub names {
    my $list = $t->request(GET => '/Users?attributes=userName', token => $token)->{json}{Resources};
    return join ' ', sort map $_->{userName}, @$list;
}

my $r = create('small', 3000);
is_error $r, 503, '', qr/^the directory cannot be served now/, 'a write whose body the writer cannot read is refused with 503';
ok $r->{headers}{'retry-after'} > 0, 'the 503 has Retry-After';
ok $t->wait_log(qr/cannot read the temporary file of a request body/), 'the error log says that the body cannot be read';
my $lines = () = $t->log =~ /cannot read the temporary file/g;

$r = create('large', 20_000);
is $r->{status}, 201, 'a write whose body is read at the second attempt is answered with 201';
is length($r->{json}{displayName} // ''), 20_000, 'its response has a body';
is scalar(() = $t->log =~ /cannot read the temporary file/g), $lines, 'the error log does not say that its body cannot be read';
is names(), 'large', 'the store has the acknowledged write only';
$t->finish;
